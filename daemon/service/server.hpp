// Server: a bootstrap, a relay, or both, for the clients that dialled this node with quic::Protocol::service. It keeps
// records of who is there (Registry), answers look-ups, and carries opaque packets between clients that are present.
// It can't read what it carries. As a bootstrap only it carries a capped amount per pair, enough for a handshake and the
// exchange of candidates; as a relay there is no cap but rates.
//
// Everything that a client can make grow has a limit in ServerOptions; what is over it is refused with a reason, or dropped
// and counted. A client that does not read its answers, or breaks the protocol, is closed.
//
// Order of calls: hand every event of the endpoint to handle(); it says whether it was for this. After a batch of events
// call forward(), then Endpoint::flush. Rearm at poll_timeout. Nothing here re-enters. `now` never runs backwards.
//
// Where a client is seen is where its handshake's last flight came from, for the connection's whole life: QUIC's path is
// constant here (docs/adr/0001). That it reads what is sent there it shows by saying a challenge back, before it is there to
// anybody and before anything but that challenge is sent to it (docs/adr/0012).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/rng.hpp"
#include "base/token_bucket.hpp"
#include "event/service.hpp"
#include "quic/endpoint.hpp"
#include "service/admission.hpp"
#include "service/close_code.hpp"
#include "service/forwarder.hpp"
#include "service/registry.hpp"
#include "wire/service.hpp"

namespace pw::service {

struct ServerOptions {
  bool bootstrap = false;
  bool relay = false;
  std::size_t max_clients = 256;      // admitted ones
  /// Connections that are not admitted yet, which anybody can have who has a key: the oldest goes first. A client is two
  /// round trips after its handshake; who wants to crowd it out needs as many whole handshakes within that time. As many as
  /// clients, who all come back at once after a restart.
  std::size_t max_greeting = 256;
  std::size_t max_entries = 4096;
  std::size_t max_channels = 64;      // of one client, opened by either side
  double requests_per_second = 10;    // of one client, of all kinds; saved up to request_burst
  double request_burst = 100;
  /// Packets to the mapped port of one client, and of all: each is 28 bytes to where that client is.
  double checks_per_second = 0.5;
  double check_burst = 10;
  double total_checks_per_second = 50;
  double bytes_per_second = 2.5e6;    // that one client may send through channels: 20 Mbit/s
  double burst_bytes = 128 << 10;     // a congestion window's worth at once
  double total_bytes_per_second = 125e6;
  std::uint64_t pair_bytes = 64 << 10;  // without the relay role
  Duration pair_window = std::chrono::hours{1};
  std::size_t max_pairs = 8192;       // remembered for that; beyond, new pairs are refused
  Duration max_lifetime = std::chrono::minutes{10};  // of a registration
  Duration admission_timeout = 5s;    // for a Hello, and then for the challenge
  Duration former_timeout = 5s;       // of a connection whose channels went over to another
};

/// One packet to a client's mapped port, as the client asked: a Binding indication with that transaction.
struct Knock {
  SocketAddress to;
  wire::stun::TransactionId transaction;
};

using ServedRequest = event::ServiceRequest;
using DropReason = event::RelayDrop;
using ServerStats = event::ServingStats;

class Server {
 public:
  /// `endpoint` outlives the server.
  Server(ServerOptions options, quic::Endpoint& endpoint, const PeerId& self, Rng rng);

  // ---- commands
  /// At the start and at every reload; whoever is no longer admitted by its key goes at once.
  void configure(Instant now, Admission admission);
  /// Whether what poll_knock gives can be sent; not at first.
  void offer_knocks(bool offered) { knocks_offered_ = offered; }
  /// Moves packets as far as rates and room allow.
  void forward(Instant now);
  /// Ends every connection.
  void shutdown(Instant now);

  // ---- input
  /// False: not a connection of this server.
  bool handle(Instant now, const quic::Event& event);
  /// Nothing leads to whoever came by it any more.
  void handle_pipe_closed(Instant now, Via via);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Knock> poll_knock();
  /// The last one who came by it as a client is gone, or was not let in: it is of no more use to anybody.
  std::optional<Via> poll_left_pipe();
  Instant poll_timeout() const;

  // ---- getters
  /// Somebody has come by that, let in or about to be.
  bool serves(Via via) const;
  ServerStats stats() const;

 private:
  struct End {
    quic::Handle other{};
    wire::service::Channel others_number = 0;
    Forwarder::Flow flow{};  // from here to there
    bool opened = false;     // by this client
  };
  enum class Stage : std::uint8_t {
    greeting,  // its Hello is awaited
    welcomed,  // and then that it says the challenge back
    admitted,
    left       // its channels went over to another connection
  };
  struct Client {
    Client(const quic::Established& e, Instant now, const ServerOptions& o)
        : handle{e.connection},
          via{e.path.via},
          since{now},
          peer{e.peer},
          transport{via == Via::own ? event::Transport::quic : event::Transport::websocket},
          observed{transport == event::Transport::quic ? std::optional{e.path.remote} : std::nullopt},
          requests{o.requests_per_second, o.request_burst},
          notices{o.requests_per_second, o.request_burst},
          checks{o.checks_per_second, o.check_burst},
          bytes{o.bytes_per_second, o.burst_bytes} {}
    quic::Handle handle;
    Via via;  // that its packets come through
    Instant since;
    PeerId peer;
    event::Transport transport;
    std::optional<SocketAddress> observed;  // over UDP; proved once it is admitted
    Stage stage = Stage::greeting;
    quic::Handle heir{};  // of one that has left: where its channels went
    wire::service::Challenge challenge{};
    bool resume = false;
    bool notify = false;
    wire::service::Services services = wire::service::Services::none;
    std::optional<Digest> proof;  // that admitted it
    std::vector<Digest> tags;
    std::optional<quic::StreamId> control;
    wire::service::Reader reader;
    TokenBucket requests;
    TokenBucket notices;
    TokenBucket checks;
    TokenBucket bytes;
    std::map<wire::service::Channel, End> channels;
    wire::service::Channel next_channel = wire::service::kFirstOfServer;
  };
  /// What went between two peers, in both directions, since the window began.
  struct Pair {
    std::uint64_t bytes = 0;
    Instant until{};
  };
  using PairKey = std::pair<PeerId, PeerId>;

  void on(Instant now, const quic::Established& e);
  void on(Instant now, Client& c, const quic::StreamData& e);
  void on(Instant now, Client& c, const quic::DatagramReceived& e);
  void read(Instant now, Client& c, const wire::service::Message& message);
  void hello(Instant now, Client& c, const wire::service::Hello& m);
  void confirm(Instant now, Client& c, const wire::service::Confirm& m);
  void turn_away(Instant now, Client& c, wire::service::Refusal reason, CloseCode code);
  std::vector<wire::service::Channel> take_over(Instant now, Client& c, Client& former);
  void enrol(Instant now, Client& c, const wire::service::Register& m);
  void look_up(Instant now, Client& c, const wire::service::Lookup& m);
  void open_channel(Instant now, Client& c, const wire::service::OpenChannel& m);
  void check_mapping(Instant now, Client& c, const wire::service::CheckMapping& m);
  std::optional<wire::service::Refusal> against(Instant now, const Client& c, const Client* other,
                                                const wire::service::OpenChannel& m);
  void tell_observed(Instant now, Client& c, wire::service::Channel number, const Client& other);
  void close_channel(Instant now, Client& c, wire::service::Channel number, wire::service::ChannelEnd reason, bool tell);
  wire::service::Found::Entry entry_of(Instant now, const PeerId& peer, const Registration& registration) const;
  void refuse(Instant now, Client& c, wire::service::Request what, wire::service::Refusal reason, std::uint32_t number);
  void tell_mesh(Instant now, const PeerId& about, const std::vector<Digest>& tags, const wire::service::Message& message);
  void send(Instant now, Client& c, const wire::service::Message& message);
  void dismiss(Instant now, quic::Handle handle, CloseCode code, std::string_view reason);
  void forget(Instant now, quic::Handle handle);
  void leave_pipe(Via via);
  void count(ServedRequest request, bool success);
  void drop(DropReason reason, std::uint64_t packets = 1) { stats_.dropped[static_cast<std::size_t>(reason)] += packets; }
  Pair* pair_of(Instant now, const PeerId& a, const PeerId& b);
  Client* find(quic::Handle handle);
  Client* find(const PeerId& peer);
  void make_room(Instant now);
  void expire(Instant now, const Client& c);
  bool full_for(const PeerId& peer) const { return !present_.contains(peer) && present_.size() >= options_.max_clients; }
  bool caps_pairs() const { return !options_.relay; }

  ServerOptions options_;
  quic::Endpoint& endpoint_;
  PeerId self_;
  Rng rng_;
  Admission admission_;
  Registry registry_;
  Forwarder forwarder_;
  std::unordered_map<quic::Handle, std::unique_ptr<Client>> clients_;
  std::unordered_map<PeerId, quic::Handle> present_;  // admitted ones
  std::map<PairKey, Pair> pairs_;
  Deadlines<quic::Handle> deadlines_;  // to be admitted by; of who does not read: at once
  std::size_t channels_ = 0;
  Instant next_forward_ = kNever;
  bool knocks_offered_ = false;
  TokenBucket all_checks_;
  std::deque<Knock> knocks_;
  std::deque<Via> left_pipes_;
  ServerStats stats_;
};

}  // namespace pw::service
