#include "service/client.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"

namespace pw::service {

using event::ErrorType;

Client::Client(const ClientOptions& options, quic::Endpoint& endpoint, const PeerId& self, ServerSpec server,
               Credentials credentials, Rng rng, std::uint32_t& next_via)
    : options_{options},
      endpoint_{endpoint},
      self_{self},
      server_{server},
      credentials_{std::move(credentials)},
      rng_{std::move(rng)},
      next_via_{next_via},
      backoff_{options.retry_initial, options.retry_max},
      move_backoff_{options.move_initial, options.move_max},
      dial_{endpoint, server.id, next_via} {}

// ---- the connection

void Client::set_addresses(Instant now, std::vector<PathAddress> addresses, std::optional<WebSocketAddress> websocket) {
  const bool first = !reachable();
  addresses_ = std::move(addresses);
  websocket_ = std::move(websocket);
  if (state_ == State::waiting && (first || !reachable())) retry_at_ = reachable() ? now : kNever;
  plan_move(now);
}

void Client::dial(Instant now) {
  retry_at_ = kNever;
  dialled_at_ = now;
  state_ = State::dialling;
  dial_.start(now, addresses_, websocket_);
  settle_dial(now);
}

/// What a dial asks for, and what came of it.
void Client::settle_dial(Instant now) {
  while (auto request = dial_.poll_request()) std::visit([this](auto& r) { emit(std::move(r)); }, *request);
  auto outcome = dial_.poll_outcome();
  if (!outcome) return;
  if (auto* failed = std::get_if<Dial::Failed>(&*outcome)) {
    if (state_ != State::dialling) return plan_move(now);
    return ended(now, failed->error, failed->application_code, std::move(failed->detail));
  }
  const auto& up = std::get<Dial::Up>(*outcome);
  const Line line{up.established.connection, up.pipe};
  if (state_ != State::dialling) return begin_move(now, line);
  line_ = line;
  state_ = State::greeting;
  give_up_ = now + options_.greeting_timeout;
  greet(*line_, false);
}

void Client::leave(Instant now, Line& line, CloseCode code, std::string_view reason) {
  endpoint_.close(now, line.connection, static_cast<std::uint64_t>(code), reason);
  if (line.pipe) emit(event::ClosePipe{*line.pipe});
}

/// Whatever is left of connections ends, too.
void Client::lost(Instant now, ErrorType error, std::string detail, CloseCode code) {
  const bool was_up = state_ == State::ready;
  state_ = State::waiting;
  dial_.cancel(now);
  settle_dial(now);
  for (std::optional<Line>* line : {&line_, &next_, &former_})
    if (*line) leave(now, **line, code, detail);
  line_.reset();
  next_.reset();
  former_.reset();
  granted_ = {};
  observed_.reset();
  early_.clear();
  give_up_ = register_at_ = ask_at_ = probe_at_ = second_at_ = gone_at_ = move_at_ = move_give_up_ = leave_former_at_ = kNever;
  while (!pending_.empty()) fail_request(now, pending_.begin()->first, RequestResult::lost);
  while (!channels_.empty()) end_channel(now, channels_.begin(), ChannelLoss::connection_lost, {});
  retry_at_ = reachable() ? now + backoff_.next(rng_) : kNever;
  emit(ServiceDown{server_.id, was_up, error, std::move(detail)});
}

void Client::shutdown(Instant now) {
  addresses_.clear();
  websocket_.reset();
  if (state_ == State::waiting) {
    retry_at_ = kNever;
    return;
  }
  lost(now, ErrorType::unknown, "shut down here");
}

void Client::network_changed(Instant now) {
  if (hasten_at_ <= now) hasten_at_ = std::max(now, hasten_at_ + kHastenPause);
  for (Instant* at : {&retry_at_, &move_at_})
    if (*at != kNever) *at = earlier(*at, hasten_at_ + rng_.up_to(options_.retry_initial));
  probe_soon(now);
}

void Client::doubt(Instant now) {
  if (gone_at_ == kNever) probe_soon(now);
}

void Client::probe_soon(Instant now) {
  if (ready()) probe_at_ = std::max(now, probed_at_ + kProbePause);
}

void Client::probe(Instant now) {
  probe_at_ = kNever;
  probed_at_ = now;
  if (!ask(now)) return;
  probe_ = last_request_;
  gone_at_ = now + options_.probe_timeout + 4 * *rtt();
  second_at_ = now + std::max<Duration>(kSecondAfter, 3 * *rtt());
}

void Client::greet(Line& line, bool resume) {
  const auto stream = endpoint_.open_stream(line.connection);
  if (!stream) return;  // the greeting's time-out ends it
  line.control = *stream;
  wire::service::Hello hello;
  hello.services = server_.services;
  hello.mesh_tags = mesh_tags(credentials_.mesh, credentials_.secrets);
  hello.notify = options_.notify;
  hello.resume = resume;
  if (!credentials_.secrets.empty())
    hello.proof = prove(credentials_.secrets[secret_ % credentials_.secrets.size()], endpoint_.exporter(line.connection),
                        self_, server_.id, credentials_.mesh);
  static_cast<void>(send(line, hello));
}

std::optional<Duration> Client::rtt() const {
  if (!ready()) return std::nullopt;
  return endpoint_.stats(line_->connection).smoothed_rtt;
}

bool Client::send(const Line& line, const wire::service::Message& message) {
  return line.control && endpoint_.write_stream(line.connection, *line.control, wire::service::encode(message)).has_value();
}

Client::Line* Client::find(quic::Handle connection) {
  for (std::optional<Line>* line : {&line_, &next_, &former_})
    if (*line && (*line)->connection == connection) return &**line;
  return nullptr;
}

// ---- input

bool Client::handle(Instant now, const quic::Event& event) {
  if (dial_.handle(now, event)) {
    settle_dial(now);
    return true;
  }
  if (find(std::visit([](const auto& e) { return e.connection; }, event)) == nullptr) return false;
  if (!std::holds_alternative<quic::Closed>(event)) heard_at_ = now;
  if (const auto* data = std::get_if<quic::StreamData>(&event))
    on(now, *data);
  else if (const auto* datagram = std::get_if<quic::DatagramReceived>(&event))
    on(*datagram);
  else if (const auto* closed = std::get_if<quic::Closed>(&event))
    on(now, *closed);
  return true;
}

void Client::on(Instant now, const quic::Closed& e) {
  Line& line = *find(e.connection);
  if (&line != &*line_) {
    if (line.pipe) emit(event::ClosePipe{*line.pipe});
    if (next_ && &line == &*next_) return end_move(now);
    return former_.reset();
  }
  ended(now, e.error, e.application_code, e.detail);
}

/// `code`: the server's own word.
void Client::ended(Instant now, ErrorType error, std::optional<std::uint64_t> code, std::string detail) {
  const bool refused = code == static_cast<std::uint64_t>(CloseCode::not_admitted);
  if (refused) ++secret_;
  lost(now, code ? (refused ? ErrorType::admission : ErrorType::refused) : error, std::move(detail));
}

bool Client::handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened) {
  if (!dial_.handle_pipe(now, via, opened)) return false;
  settle_dial(now);
  return true;
}

bool Client::handle_pipe_closed(Instant now, Via via) {
  if (dial_.handle_pipe_closed(now, via)) {
    settle_dial(now);
  } else if (former_ && former_->pipe == via) {
    former_->pipe.reset();
    leave_former(now);
  } else if (line_ && line_->pipe == via) {
    line_->pipe.reset();
    lost(now, ErrorType::reset, "the pipe closed");
  } else {
    return false;
  }
  return true;
}

void Client::on(Instant now, const quic::StreamData& e) {
  if (!e.bytes.empty()) endpoint_.consume(e.connection, e.stream, e.bytes.size());
  if (find(e.connection)->control != e.stream) return;  // a server opens none
  find(e.connection)->reader.feed(e.bytes);
  while (Line* line = find(e.connection)) {
    auto message = line->reader.next();
    if (!message) break;
    if (!*message) return broken(now, *line, message->error().detail);
    read(now, *line, **message);
  }
}

/// The server broke the protocol.
void Client::broken(Instant now, const Line& line, const std::string& detail) {
  if (&line == &*line_) return lost(now, ErrorType::protocol, detail, CloseCode::protocol);
  if (next_ && &line == &*next_)
    end_move(now);
  else
    leave_former(now);
}

void Client::on(const quic::DatagramReceived& e) {
  const auto packet = wire::service::out_of_channel(e.bytes);
  if (!packet || state_ != State::ready) return;
  const auto found = channels_.find(packet->first);
  if (found != channels_.end() && found->second.up) {
    emit(Arrived{{{}, {}, found->second.via}, e.received_at, Buffer(packet->second.begin(), packet->second.end())});
    return;
  }
  if (early_.size() >= options_.max_early) early_.pop_front();
  early_.push_back({packet->first, e.received_at, Buffer(packet->second.begin(), packet->second.end())});
}

void Client::handle_timeout(Instant now) {
  if (retry_at_ <= now) dial(now);
  dial_.handle_timeout(now);
  settle_dial(now);
  if (give_up_ <= now) lost(now, ErrorType::timeout, "no Welcome in time", CloseCode::protocol);
  if (second_at_ <= now) begin_second(now);
  if (move_at_ <= now) try_move(now);
  if (move_give_up_ <= now) end_move(now);
  if (leave_former_at_ <= now) leave_former(now);
  const Instant asked_before = now - options_.request_timeout;
  // Behind others' bytes an answer may be late, in a pipe above all: whoever sends something is not gone.
  const bool gone = (gone_at_ <= now && heard_at_ <= probed_at_) || std::ranges::any_of(pending_, [&](const auto& p) {
    return p.second.kind == RequestKind::observe && p.second.asked <= asked_before && heard_at_ <= p.second.asked;
  });
  if (gone_at_ <= now) gone_at_ = kNever;
  for (auto i = pending_.begin(); i != pending_.end();) {
    const auto here = i++;
    if (here->second.asked <= asked_before) fail_request(now, here->first, RequestResult::timeout);
  }
  if (gone) return lost(now, ErrorType::timeout, "the server does not answer");
  for (auto i = channels_.begin(); i != channels_.end();) {
    const auto here = i++;
    if (here->second.up || here->second.asked > asked_before) continue;
    send(wire::service::ChannelClosed{here->first, wire::service::ChannelEnd::closed});
    end_channel(now, here, ChannelLoss::timeout, {});
  }
  if (register_at_ <= now && record_) publish(now, wire::PeerRecord{*record_});
  if (probe_at_ <= now) probe(now);
  if (ask_at_ <= now) ask(now);
}

Instant Client::poll_timeout() const {
  Instant next = earlier(earlier(retry_at_, give_up_), earlier(register_at_, ask_at_));
  next = earlier(next, earlier(probe_at_, earlier(second_at_, gone_at_)));
  next = earlier(next, earlier(dial_.poll_timeout(), earlier(move_at_, earlier(move_give_up_, leave_former_at_))));
  for (const auto& [request, p] : pending_) next = earlier(next, p.asked + options_.request_timeout);
  for (const auto& [number, c] : channels_)
    if (!c.up) next = earlier(next, c.asked + options_.request_timeout);
  return next;
}

std::optional<ClientEvent> Client::poll_event() {
  return taken(events_);
}

}  // namespace pw::service
