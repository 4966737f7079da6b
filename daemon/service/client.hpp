// Client: this node as the client of one bootstrap or relay, over one QUIC connection that it dials, keeps, and dials
// again. Channels through it carry packets between this node and a peer; each has a number (Via) here, drawn from the
// counter that the caller owns and never used again: after a loss of the connection all channels are gone.
//
//   waiting ─► dialling ─► greeting (Hello … Welcome) ─► ready (Confirm first) ─► (lost) ─► waiting, with back-off
//
// Where UDP is blocked the connection goes through a pipe (dial.hpp). UDP is then tried again now and then, and when it leads
// to the server the channels go over to a second connection, by the server's leave, while the first still carries them.
// The same happens where the server was asked in doubt and is silent: a second connection is begun beside the first.
//
// Order of calls: set_addresses (again when names were looked up again), publish; then hand every event of the endpoint to
// handle(), what becomes of pipes to handle_pipe and handle_pipe_closed, call handle_timeout, and after every call drain poll_event, flush the endpoint and rearm at poll_timeout.
// Nothing here re-enters. `now` never runs backwards.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "base/backoff.hpp"
#include "event/vocabulary.hpp"
#include "quic/endpoint.hpp"
#include "service/admission.hpp"
#include "service/client_event.hpp"
#include "service/close_code.hpp"
#include "service/dial.hpp"

namespace pw::service {

struct ClientOptions {
  Duration retry_initial = 500ms;  // back-off between dials, full jitter
  Duration retry_max = 60s;
  Duration greeting_timeout = 5s;
  Duration request_timeout = 5s;
  /// Between requests when there is nothing to ask; one that is not answered in time, while nothing else comes, tells that the server is gone. NATs forget UDP mappings after 30 s or more (RFC 4787 REQ-5 asks for
  /// two minutes, few obey).
  Duration keepalive = 15s;
  Duration register_retry = 30s;   // after a refusal
  /// Once there is doubt, and four round trips: QUIC has sent it several times by then.
  Duration probe_timeout = 3s;  // a cable that is out for a moment costs no channels
  Duration move_initial = 10s;     // back-off between dials over UDP while connected through a pipe, full jitter on top of
  Duration move_max = 5min;        // kMovePause
  std::size_t max_requests = 32;   // unanswered at once
  std::size_t max_channels = 128;  // also those that the server says are opened to us; more are closed
  std::size_t max_early = 8;       // packets that overtook their ChannelOpened
  bool notify = false;
};

/// Who we are to servers. May change by a reload.
struct Credentials {
  std::string mesh = "default";
  std::vector<Buffer> secrets;  // none: an allowlist, or an open server
};

struct ServerSpec {
  PeerId id;
  wire::service::Services services = wire::service::Services::none;  // wanted of it
};

class Client {
 public:
  using State = event::ServerState;
  /// However often this machine's network comes and goes: dials that wait are hastened, and the server is asked, no oftener.
  static constexpr Duration kHastenPause = 5s;
  static constexpr Duration kProbePause = 1s;
  /// Three round trips at least, by which a server that is still reached by the connection there is has answered in doubt: then
  /// another is begun beside it. QUIC's path is constant (docs/adr/0001), so a NAT that forgot this node, or an address that
  /// changed, ends the way back for good.
  static constexpr Duration kSecondAfter = 200ms;
  /// Between the end of one attempt to leave a pipe and the next.
  static constexpr Duration kMovePause = 5s;
  /// What was under way in a connection that was left still arrives.
  static constexpr Duration kFormer = 1s;

  /// All references outlive the client.
  Client(const ClientOptions& options, quic::Endpoint& endpoint, const PeerId& self, ServerSpec server,
         Credentials credentials, Rng rng, std::uint32_t& next_via);

  // ---- commands
  /// Where it may be, by UDP and by WebSocket; neither: it is not dialled. Dials at once when there was neither.
  void set_addresses(Instant now, std::vector<PathAddress> addresses, std::optional<WebSocketAddress> websocket = {});
  /// The record to leave there, signed; it is registered now and before each expiry.
  void publish(Instant now, const wire::PeerRecord& record);
  /// Somebody, or everybody of the mesh. Answered by LookupDone with this number. Fails unless ready.
  Result<std::uint32_t> look_up(Instant now, const std::optional<PeerId>& peer);
  /// A packet from there to `address`, which is where the server sees this node but for the port. Answered, if it is, by
  /// MappingAnswered with this number. Fails unless ready.
  Status check_mapping(std::uint32_t number, const SocketAddress& address, const wire::stun::TransactionId& transaction);
  /// Answered by ChannelUp or ChannelDown. Fails unless ready.
  Result<Via> open_channel(Instant now, const PeerId& peer);
  void close_channel(Via via);
  /// Nothing comes from the server, as far as somebody knows who expects something: it is asked whether it still reaches us.
  void doubt(Instant now);
  /// This machine's addresses or its way out changed. The server goes on sending to where the handshake came from: whether
  /// that still reaches us is asked at once. One that was lost is dialled soon.
  void network_changed(Instant now);
  /// At most quic::kUdpPayload bytes. False before ChannelUp, after ChannelDown, and when it is too large.
  bool send(Via via, ByteView packet);
  void shutdown(Instant now);

  // ---- input
  /// False: not of this client's connection.
  bool handle(Instant now, const quic::Event& event);
  /// Answers OpenPipe. False: not of this client.
  bool handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened);
  bool handle_pipe_closed(Instant now, Via via);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<ClientEvent> poll_event();
  Instant poll_timeout() const;

  // ---- getters
  const ServerSpec& server() const { return server_; }
  State state() const { return state_; }
  bool ready() const { return state_ == State::ready; }
  /// It was asked whether it still reaches us, and has not answered yet.
  bool in_doubt() const { return probe_at_ != kNever || gone_at_ != kNever; }
  std::optional<quic::Handle> connection() const { return line_ ? std::optional{line_->connection} : std::nullopt; }
  /// Of the connection.
  event::Transport transport() const {
    return line_ && line_->pipe ? event::Transport::websocket : event::Transport::quic;
  }
  /// QUIC's smoothed one; none unless ready.
  std::optional<Duration> rtt() const;
  unsigned failures() const { return backoff_.failures(); }
  /// The number of the record that it was given last.
  std::optional<std::uint64_t> published() const { return record_ ? std::optional{record_->sequence} : std::nullopt; }
  /// Granted by the server.
  wire::service::Services services() const { return granted_; }

 private:
  struct Pending {
    RequestKind kind;
    Instant asked;
    std::optional<PeerId> peer;
    std::size_t pages = 0;
  };
  struct Channel {
    Via via;
    PeerId peer;
    bool up = false;
    Instant asked{};
    bool abandoned = false;  // before the answer, which is awaited for the count
  };
  struct Early {
    wire::service::Channel channel;
    Instant received_at;
    Buffer bytes;
  };
  using Number = wire::service::Channel;
  /// An established connection to the server.
  struct Line {
    quic::Handle connection;
    std::optional<Via> pipe;  // that it goes through; else over UDP
    std::optional<quic::StreamId> control{};
    wire::service::Reader reader{};
    std::optional<wire::service::Welcome> welcome{};
  };

  void dial(Instant now);
  void settle_dial(Instant now);
  bool reachable() const { return !addresses_.empty() || websocket_; }
  void lost(Instant now, event::ErrorType error, std::string detail, CloseCode code = CloseCode::done);
  void ended(Instant now, event::ErrorType error, std::optional<std::uint64_t> code, std::string detail);
  void broken(Instant now, const Line& line, const std::string& detail);
  void greet(Line& line, bool resume);
  Line* find(quic::Handle connection);
  void leave(Instant now, Line& line, CloseCode code, std::string_view reason);
  void on(Instant now, const quic::StreamData& e);
  void on(Instant now, const quic::Closed& e);
  void on(const quic::DatagramReceived& e);
  // leaving a pipe, or a connection whose way back is lost (client_move.cpp)
  void plan_move(Instant now);
  void begin_second(Instant now);
  void abandon_second(Instant now);
  void try_move(Instant now);
  void begin_move(Instant now, const Line& line);
  void end_move(Instant now);
  void moved(Instant now, const wire::service::Resumed& m);
  void leave_former(Instant now);
  void read(Instant now, Line& line, const wire::service::Message& message);
  void read(Instant now, Line& line, const wire::service::Welcome& m);
  void read(Instant now, const wire::service::Observed& m);
  void read(Instant now, const wire::service::Registered& m);
  void read(Instant now, const wire::service::Found& m);
  void read(Instant now, const wire::service::ChannelOpened& m);
  void read(const wire::service::PeerObserved& m);
  void read(Instant now, const wire::service::ChannelClosed& m);
  void read(Instant now, const wire::service::Refused& m);
  bool ask(Instant now);
  void probe_soon(Instant now);
  void probe(Instant now);
  std::optional<Pending> answered(Instant now, std::uint32_t request, RequestKind kind, RequestResult result);
  void fail_request(Instant now, std::uint32_t request, RequestResult result);
  void end_channel(Instant now, std::map<Number, Channel>::iterator at, ChannelLoss why, wire::service::Refusal refusal);
  std::map<Number, Channel>::iterator by_via(Via via);
  bool send(const Line& line, const wire::service::Message& message);
  bool send(const wire::service::Message& message) { return line_ && send(*line_, message); }
  Instant next_deadline() const;
  void emit(ClientEvent event) { events_.push_back(std::move(event)); }

  const ClientOptions& options_;
  quic::Endpoint& endpoint_;
  PeerId self_;
  ServerSpec server_;
  Credentials credentials_;
  Rng rng_;
  std::uint32_t& next_via_;
  Backoff backoff_;
  State state_ = State::waiting;
  Instant retry_at_ = kNever;
  Instant dialled_at_{};
  Instant give_up_ = kNever;  // a greeting
  Instant register_at_ = kNever;
  Instant ask_at_ = kNever;   // keep-alive
  Instant hasten_at_{};       // the last time, or the next
  Instant probed_at_{};
  Instant probe_at_ = kNever;
  Instant heard_at_{};        // anything of the server's, but its acknowledgements
  std::uint32_t probe_ = 0;   // the request that tells whether the server still reaches us
  Instant second_at_ = kNever;  // another connection is begun beside this one, unless that is answered
  Instant gone_at_ = kNever;    // or all is given up
  std::size_t secret_ = 0;    // the one to prove next: the other after a refusal
  Backoff move_backoff_;
  Instant move_at_ = kNever;  // over UDP is dialled, while connected through a pipe
  Instant move_give_up_ = kNever;    // a greeting for that
  Instant leave_former_at_ = kNever;
  std::vector<PathAddress> addresses_;
  std::optional<WebSocketAddress> websocket_;
  Dial dial_;
  std::optional<Line> line_;    // greeting, or ready
  std::optional<Line> next_;    // over UDP, greeting, while line_ goes through a pipe, or is in doubt
  std::optional<Line> former_;  // that was left
  wire::service::Services granted_ = wire::service::Services::none;
  std::optional<SocketAddress> observed_;
  std::optional<wire::PeerRecord> record_;
  std::uint32_t last_request_ = 0;
  std::map<std::uint32_t, Pending> pending_;
  std::map<Number, Channel> channels_;
  Number next_channel_ = 1;
  std::deque<Early> early_;
  std::deque<ClientEvent> events_;
};

}  // namespace pw::service
