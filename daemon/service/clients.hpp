// Clients: this node's bootstraps and relays, each with a Client. Ranks them, keeps the best two relays by latency as home
// relays, and leaves a record that names them with every bootstrap.
//
// Home relays change with hysteresis, since everybody who looks for this node has to learn of it: a relay that is lost is
// replaced after kGrace; a better one has to be better by kMargin and kMarginShare for kSteady judgements in a row.
//
// Order of calls: as Client. `next_via` is the caller's counter of Via numbers, at least 1.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "quic/identity.hpp"
#include "service/client.hpp"

namespace pw::service {

/// The record has changed: these are its relays.
struct HomeRelaysChanged {
  std::vector<PeerId> relays;
};

class Clients {
 public:
  static constexpr std::size_t kHomeRelays = 2;
  static constexpr std::size_t kMaxServers = 32;        // configured ones; more are ignored
  static constexpr Duration kJudgeInterval = 10s;
  static constexpr Duration kGrace = 2s;
  static constexpr Duration kMargin = 5ms;
  static constexpr double kMarginShare = 0.2;
  static constexpr unsigned kSteady = 3;
  static constexpr std::uint32_t kRecordLifetime = 600;  // seconds; renewed at half of what a bootstrap grants
  static constexpr std::size_t kMaxKnown = 4096;         // peers whose newest record's number is remembered

  /// `first_sequence`: of the first record, greater than any before this start: the wall time in seconds will do.
  Clients(ClientOptions options, quic::Endpoint& endpoint, const quic::Identity& identity, Rng rng,
          std::uint32_t& next_via, std::uint64_t first_sequence);

  // ---- commands
  /// At the start and at every reload. A client stays as long as its server and the credentials do.
  void configure(Instant now, const std::vector<ServerSpec>& servers, const Credentials& credentials);
  void set_addresses(Instant now, const PeerId& server, std::vector<PathAddress> addresses,
                     std::optional<WebSocketAddress> websocket = {});
  /// As Client's.
  void network_changed(Instant now);
  void shutdown(Instant now);
  /// Asks the healthiest bootstrap; the number is that server's.
  Result<std::uint32_t> look_up(Instant now, const std::optional<PeerId>& peer);
  Client* find(const PeerId& server) const;
  /// False: no channel of any client that is up.
  bool send(Via via, ByteView packet);

  // ---- input
  bool handle(Instant now, const quic::Event& event);
  bool handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened);
  bool handle_pipe_closed(Instant now, Via via);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<ClientEvent> poll_event();
  std::optional<HomeRelaysChanged> poll_home_relays() { return std::exchange(changed_, std::nullopt); }
  Instant poll_timeout() const;

  // ---- getters
  const std::vector<PeerId>& home_relays() const { return homes_; }
  /// Those that grant one of `services`, ready, the quickest first.
  std::vector<Client*> ranked(wire::service::Services services) const;

 private:
  template <class Call>
  bool tell(Instant now, Call call);
  void judge(Instant now);
  void adopt(Instant now, std::vector<PeerId> homes);
  void publish(Instant now, Client& client);
  void keep_newest(LookupDone& done);

  ClientOptions options_;
  quic::Endpoint& endpoint_;
  const quic::Identity& identity_;
  Rng rng_;
  std::uint32_t& next_via_;
  std::uint64_t sequence_;
  Credentials credentials_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<PeerId> homes_;
  std::vector<PeerId> challengers_;  // who would be home by latency alone, for `steady_` judgements
  unsigned steady_ = 0;
  Instant judge_at_ = kNever;
  std::unordered_map<PeerId, std::uint64_t> newest_;
  std::deque<ClientEvent> farewells_;  // of clients that are gone
  std::optional<HomeRelaysChanged> changed_;
};

}  // namespace pw::service
