// Amplification: nobody gets more than three times what came from his address before he has proved that it is his
// (RFC 9000 section 8.1). By the truth of the net: an address has proved itself to a node when its real owner sent
// something to the node after it had received something from there.
//
// Two accounts. Of a connection that somebody begins, by the ID that he chose for himself, which every answer in a
// handshake carries: exact, also for victims that talk to the node anyway. And of an address that the node does not dial
// itself, all together: it catches what carries no such ID (resets), and what is answered with more than it brought.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sim/check/ground.hpp"

namespace pw::sim {

class Amplification : public Checker {
 public:
  static constexpr std::uint64_t kMost = 3;  // RFC 9000 section 8.1
  /// Checks of where a peer says that it is, though nothing came from there yet: so many, and one a second. What they are
  /// allowed to be exactly is judged as unsolicited.
  static constexpr std::uint64_t kCandidate = 32;
  static constexpr std::uint64_t kCheckSize = 120;
  static bool is_check(const net::Packet& packet);
  /// A bootstrap's packet to a mapped port: goes to an address that has proved itself by another port. How many may be sent
  /// is judged as unsolicited.
  static bool is_knock(const net::Packet& packet);
  static constexpr std::size_t kIds = 16;  // bent packets go to bent IDs; of more than that nobody can have answered
  static constexpr std::size_t kMaxConnections = 1 << 16;  // remembered; then they are forgotten all together

  Amplification(const World& world, const Ground& ground)
      : Checker{"amplification"}, world_{world}, ground_{ground} {}
  void started(Instant at, const Host& host) override;
  void sent(Instant at, const net::Machine& from, const net::Packet& packet) override;
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;

 private:
  struct Account {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    bool proved = false;
    bool dialled = false;  // of a flow: it is or was in this daemon's configuration
    std::uint64_t checks = 0;  // bytes of them, sent
    std::optional<Instant> checks_since;
    std::optional<Instant> answered;  // since when the real owner may know of us
    std::vector<std::uint64_t> ids;  // of a connection: where its packets go, and what this end chose; kIds at most
  };
  struct Key {
    std::size_t flow;
    std::uint64_t id;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const noexcept { return k.flow * 0x9e3779b97f4a7c15ULL ^ k.id; }
  };
  Account& of_flow(std::size_t flow);
  void forget_connections();
  void credit(std::size_t flow, const net::Packet& packet);
  bool is_proved(std::size_t machine, const IpAddress& address) const;
  bool dials(const Host& host, const SocketAddress& address) const;
  /// Real owners prove what they answer; the packet being told is theirs.
  void prove(Account& account) const;
  static void add_id(Account& connection, std::uint64_t id);
  std::uint64_t brought(std::size_t flow, const Account& connection) const;
  void judge(Instant at, const Host& host, const Flow& flow, const Account& account, const char* what);

  const World& world_;
  const Ground& ground_;
  std::vector<Account> flows_;
  std::unordered_map<Key, Account, KeyHash> connections_;  // by the ID of the other end
  std::unordered_set<Key, KeyHash> ours_;                  // IDs that this end chose
  /// Bytes by the ID that they went to, which attributes them to a connection, also those of packets that are then
  /// discarded (RFC 9000 section 8.1).
  std::unordered_map<Key, std::uint64_t, KeyHash> brought_;
};

}  // namespace pw::sim
