#include "http/connection.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <optional>

#include "http/body.hpp"
#include "http/event_feed.hpp"
#include "http/reply_head.hpp"

namespace pw::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::http::field;
using boost::system::error_code;
using observe::HttpReject;

Instant monotonic() { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }
WallTime wall_clock() { return WallTime{std::chrono::system_clock::now().time_since_epoch()}; }

/// What a connection waits for; says what the end of the deadline means.
enum class Phase { idle, header, body, answer, write, stream_tick, stream_write, linger };

class Connection final : public Session, public std::enable_shared_from_this<Connection> {
 public:
  Connection(StreamSocket socket, const Client& client, std::shared_ptr<Hall> hall)
      : socket_{std::move(socket)}, timer_{socket_.get_executor()}, client_{client}, hall_{std::move(hall)} {}
  ~Connection() override {
    hall_->sessions.erase(this);
    hall_->outgoing -= reserved_;
    if (feed_) --hall_->streams;
    hall_->leave(client_);
  }

  void start() {
    hall_->sessions.emplace(this, weak_from_this());
    read_header();
  }

  void finish() override {
    last_ = true;
    if (phase_ == Phase::idle || phase_ == Phase::header || phase_ == Phase::stream_tick ||
        phase_ == Phase::stream_write)
      close();
  }

 private:
  using Parser = beast::http::request_parser<beast::http::string_body>;

  // ---- deadlines

  void arm(Phase phase, Duration after) {
    phase_ = phase;
    timer_.expires_after(after);
    timer_.async_wait([self = shared_from_this(), armed = ++armed_](error_code error) {
      if (!error && armed == self->armed_ && !self->closed_) self->expired();
    });
  }

  void expired() {
    switch (phase_) {
      case Phase::idle:
      case Phase::linger:
        return close();
      case Phase::header:
      case Phase::body:
        return give_up(408, "the request took too long");
      case Phase::write:
        hall_->metrics.rejected(HttpReject::timeout);
        return close();
      case Phase::answer:
        return reply(problem(503, "the daemon did not answer in time"));
      case Phase::stream_tick:
        return pump();
      case Phase::stream_write:
        return drop_reader(feed_->pending() + in_flight_events_);
    }
  }

  /// A client that starves us gets one word, if it fits the socket's buffer, and is gone.
  void give_up(unsigned status, std::string_view detail) {
    hall_->metrics.rejected(HttpReject::timeout);
    const Reply sorry = problem(status, detail);
    const std::string text = head_of(sorry, false, wall_clock()) + sorry.body;
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.write_some(asio::buffer(text), ignored);
    close();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    ++armed_;
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

  // ---- reading

  void next_request() {
    if (last_) return linger();
    if (buffer_.size() != 0) return read_header();
    arm(Phase::idle, hall_->deadlines.idle);
    socket_.async_wait(StreamSocket::wait_read, [self = shared_from_this()](error_code error) {
      if (error || self->closed_) return self->close();
      self->read_header();
    });
  }

  void read_header() {
    // What the request before it was must not colour the answer to a header that can't be read.
    admission_ = Admission{};
    parser_.emplace();
    parser_->header_limit(kMaxHeader);
    parser_->body_limit(kMaxBody);
    began_ = monotonic();
    arm(Phase::header, hall_->deadlines.header);
    beast::http::async_read_header(
        socket_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_header(error); });
  }

  void on_header(error_code error) {
    if (closed_) return;
    began_ = monotonic();
    if (error) return broken(error);
    request_ = request_of(*parser_);
    keep_alive_ = parser_->get().keep_alive();
    if (auto refusal = refuse_framing()) return refuse(std::move(*refusal), true);
    admission_ = hall_->application.admit(request_, began_);
    if (admission_.refusal) {
      // What is too fast, or would make us read on, loses its connection.
      const unsigned status = admission_.refusal->status;
      return refuse(std::move(*admission_.refusal), request_.has_body || status == 429 || status == 400);
    }
    if (parser_->is_done()) return answer();
    if (beast::iequals(parser_->get()[field::expect], "100-continue")) return send_continue();
    read_body();
  }

  /// What Beast lets pass and a careful server does not.
  std::optional<Reply> refuse_framing() {
    const auto& message = parser_->get();
    const auto encoding = message[field::transfer_encoding];
    const auto malformed = [&](unsigned status, std::string_view detail) {
      hall_->metrics.rejected(HttpReject::malformed);
      return problem(status, detail);
    };
    if (!encoding.empty() && message.count(field::content_length) != 0)
      return malformed(400, "both Content-Length and Transfer-Encoding");
    if (!encoding.empty() && !beast::iequals(encoding, "chunked"))
      return malformed(501, "only the transfer coding chunked is known");
    if (message.count(field::host) > 1) return malformed(400, "more than one Host");
    if (message.count(field::authorization) > 1) return malformed(400, "more than one Authorization");
    const auto expect = message[field::expect];
    if (!expect.empty() && !beast::iequals(expect, "100-continue"))
      return malformed(417, "only 100-continue can be expected");
    return std::nullopt;
  }

  Request request_of(const Parser& parser) const {
    const auto& message = parser.get();
    const auto text = [&](auto key) { return std::string{message[key]}; };
    Request request;
    request.client = client_;
    request.method = std::string{message.method_string()};
    request.target = std::string{message.target()};
    request.http_1_0 = message.version() == 10;
    request.has_host = message.count(field::host) != 0;
    request.host = text(field::host);
    request.origin = text(field::origin);
    request.fetch_site = text("Sec-Fetch-Site");
    request.authorization = text(field::authorization);
    request.accept = text(field::accept);
    request.accept_encoding = text(field::accept_encoding);
    request.content_type = text(field::content_type);
    request.last_event_id = text("Last-Event-ID");
    request.has_body = !parser.is_done();
    return request;
  }

  void send_continue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    arm(Phase::body, hall_->deadlines.body);
    asio::async_write(socket_, asio::buffer(kContinue), [self = shared_from_this()](error_code error, std::size_t) {
      if (error || self->closed_) return self->close();
      self->read_body();
    });
  }

  void read_body() {
    arm(Phase::body, hall_->deadlines.body);
    beast::http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (self->closed_) return;
      if (error) return self->broken(error);
      self->answer();
    });
  }

  void broken(error_code code) {
    using beast::http::error;
    // A client that goes away is no offence.
    if (code == error::end_of_stream || code == error::partial_message ||
        code.category() != beast::http::make_error_code(error::end_of_stream).category())
      return close();
    const bool in_body = code == error::body_limit;
    const bool too_large = in_body || code == error::header_limit || code == error::buffer_overflow;
    hall_->metrics.rejected(too_large ? HttpReject::too_large : HttpReject::malformed);
    if (in_body) return refuse(problem(413, "a body may have " + std::to_string(kMaxBody) + " bytes"), true);
    if (too_large) return refuse(problem(431, "a header may have " + std::to_string(kMaxHeader) + " bytes"), true);
    if (code == error::bad_version) return refuse(problem(505, "this server speaks HTTP/1.1"), true);
    refuse(problem(400, "this is no valid HTTP/1.1 request"), true);
  }

  // ---- answering

  void refuse(Reply refusal, bool and_close) {
    if (and_close) last_ = true;
    phase_ = Phase::answer;
    ++answer_;
    reply(std::move(refusal));
  }

  void answer() {
    request_.body = std::move(parser_->get().body());
    arm(Phase::answer, Application::patience(admission_.info->route));
    // The backend may answer after the deadline, twice, or never and keep the question: then it must not keep the
    // socket, which has to go before the io_context does.
    hall_->application.answer(admission_, request_, wall_clock(),
                              [weak = weak_from_this(), asked = ++answer_](Reply made) {
                                const auto self = weak.lock();
                                if (self && !self->closed_ && asked == self->answer_ && self->phase_ == Phase::answer)
                                  self->reply(std::move(made));
                              });
  }

  void reply(Reply made) {
    ++answer_;
    if (made.is_stream && !admission_.head_only) {
      if (hall_->streams < kMaxStreams) return begin_stream(made);
      hall_->metrics.rejected(HttpReject::too_many_streams);
      made = problem(503, "too many live streams are open");
      made.headers.emplace_back("Retry-After", "10");
    }
    if (hall_->outgoing + made.body.size() > kMaxOutgoing) {
      made = problem(503, "too much is being sent to slow readers");
      made.headers.emplace_back("Retry-After", "1");
    }
    hall_->metrics.request(admission_.label, made.status, monotonic() - began_);
    if (!keep_alive_) last_ = true;
    reserved_ = made.body.size();
    hall_->outgoing += reserved_;
    head_ = head_of(made, !last_, wall_clock());
    body_ = admission_.head_only ? std::string{} : std::move(made.body);
    arm(Phase::write, hall_->deadlines.write);
    const std::array<asio::const_buffer, 2> parts = {asio::buffer(head_), asio::buffer(body_)};
    asio::async_write(socket_, parts,
                      [self = shared_from_this()](error_code error, std::size_t) { self->written(error); });
  }

  void written(error_code error) {
    hall_->outgoing -= std::exchange(reserved_, 0);
    body_ = {};
    if (error || closed_) return close();
    next_request();
  }

  /// Closing with unread bytes in the socket would reset the connection and take the reply away from the client.
  void linger() {
    error_code ignored;
    socket_.shutdown(StreamSocket::shutdown_send, ignored);
    arm(Phase::linger, kLingerDeadline);
    discard([](Connection& self, std::size_t bytes) {
      self.lingered_ += bytes;
      return self.lingered_ <= kMaxLinger;
    });
  }

  /// Reads and forgets until the client closes, or `go_on` says no.
  void discard(bool (*go_on)(Connection&, std::size_t)) {
    socket_.async_read_some(asio::buffer(scrap_),
                            [self = shared_from_this(), go_on](error_code error, std::size_t bytes) {
                              if (error || self->closed_ || !go_on(*self, bytes)) return self->close();
                              self->discard(go_on);
                            });
  }

  // ---- live stream

  void begin_stream(const Reply& made) {
    hall_->metrics.request(admission_.label, made.status, monotonic() - began_);
    ++hall_->streams;
    feed_.emplace(made.stream, hall_->recent);
    // A reader who is further behind than this is slow; the default would let megabytes pile up in the kernel.
    constexpr int kSendBuffer = 128 * 1024;
    error_code ignored;
    socket_.set_option(asio::socket_base::send_buffer_size(kSendBuffer), ignored);
    // The client has nothing more to say; when it closes, the stream ends at once.
    discard([](Connection& self, std::size_t bytes) {
      self.lingered_ += bytes;
      return self.lingered_ <= kMaxBody;
    });
    write_piece(head_of(made, false, wall_clock()));
  }

  void pump() {
    EventFeed::Piece piece = feed_->next();
    if (piece.lost != 0) return drop_reader(piece.lost);
    in_flight_events_ = piece.events;
    if (!piece.text.empty()) return write_piece(std::move(piece.text));
    if (monotonic() - last_write_ >= hall_->deadlines.keep_alive) return write_piece(": keep-alive\n\n");
    arm(Phase::stream_tick, kStreamTick);
  }

  void write_piece(std::string text) {
    body_ = std::move(text);
    arm(Phase::stream_write, hall_->deadlines.stream_write);
    asio::async_write(socket_, asio::buffer(body_), [self = shared_from_this()](error_code error, std::size_t) {
      if (error || self->closed_) return self->close();
      self->last_write_ = monotonic();
      self->in_flight_events_ = 0;
      self->pump();
    });
  }

  void drop_reader(std::uint64_t lost) {
    hall_->metrics.rejected(HttpReject::timeout);
    hall_->backend.stream_lost(lost);
    close();
  }

  StreamSocket socket_;
  asio::steady_timer timer_;
  Client client_;
  std::shared_ptr<Hall> hall_;
  beast::flat_buffer buffer_{kMaxHeader + kMaxBody};
  std::optional<Parser> parser_;
  Request request_;
  Admission admission_;
  std::string head_, body_;
  std::optional<EventFeed> feed_;
  std::array<char, 4096> scrap_{};
  Instant began_{}, last_write_{};
  Phase phase_ = Phase::idle;
  std::uint64_t armed_ = 0;   // which arming of the timer is the last
  std::uint64_t answer_ = 0;  // which answer is awaited
  std::uint64_t in_flight_events_ = 0;
  std::size_t reserved_ = 0;  // of hall_->outgoing
  std::size_t lingered_ = 0;
  bool keep_alive_ = false;
  bool last_ = false;  // the reply under way is the last
  bool closed_ = false;
};

}  // namespace

void serve_connection(StreamSocket socket, const Client& client, const std::shared_ptr<Hall>& hall) {
  std::make_shared<Connection>(std::move(socket), client, hall)->start();
}

}  // namespace pw::http
