// MappingCheck: whether the port that a gateway says it has mapped for this node is reached from outside. A bootstrap is
// asked to send a packet there, from a port that this node never spoke to; it carries random bytes that nobody else knows.
// What arrives proves the mapping; what was sent kAttempts times and never arrived refutes it.
//
// Nobody is asked, and nothing is proved or refuted, where that could not tell:
//   - no bootstrap sees this node at the mapping's address: there is another NAT outside the gateway, a carrier's, or the
//     gateway lies about its address
//   - the port is also the one that the NAT gives this node's own packets, and its filter lets in other ports of a host that
//     was spoken to, or is not known: the packet may have come by that
//
// Order of calls: update() after anything that may have changed what it is given, the other inputs as things arrive; then
// drain poll_ask and poll_verdict, and rearm at poll_timeout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "event/nat.hpp"
#include "wire/stun.hpp"

namespace pw::mesh {

/// Where a server sees this node.
struct Sighting {
  PeerId server;
  SocketAddress address;
  bool checks_mappings = false;  // it is a bootstrap
};

class MappingCheck {
 public:
  /// Packets that were sent and did not arrive, before the mapping is called false: with 20 % loss all of them are lost once
  /// in 600 times, and then the mapping is only made anew.
  static constexpr unsigned kAttempts = 4;
  static constexpr Duration kUnderWay = 1500ms;  // a packet that was sent
  static constexpr Duration kPatience = 5s;      // with the bootstrap's word
  static constexpr Duration kAgain = 1min;       // where it refused, or gave none
  static constexpr std::size_t kRemembered = 8;  // packets asked for that may still come: more than there are attempts

  /// Why a mapping is neither proved nor refuted.
  enum class Doubt : std::uint8_t { none, no_bootstrap, other_address, own_port, no_answer };

  struct View {
    std::optional<SocketAddress> unverified;  // the mapping, unless it was proved
    std::vector<Sighting> sightings;
    std::optional<SocketAddress> mapped;      // as STUN servers saw the node's own socket
    event::NatFiltering filtering = event::NatFiltering::unknown;
  };
  struct Ask {
    PeerId server;
    std::uint32_t number;
    SocketAddress address;
    wire::stun::TransactionId transaction;
  };
  struct Verdict {
    SocketAddress address;
    bool reached;
  };

  explicit MappingCheck(Rng rng) : rng_{std::move(rng)} {}

  void update(Instant now, View view);
  /// Whether the bootstrap has sent the packet that was asked for.
  void handle_answer(Instant now, const PeerId& server, std::uint32_t number, bool sent);
  /// True if it is such a packet.
  bool handle_stun(const PathAddress& from, const wire::stun::Message& message);
  void handle_timeout(Instant now);

  std::optional<Ask> poll_ask() { return std::exchange(ask_, std::nullopt); }
  std::optional<Verdict> poll_verdict() { return std::exchange(verdict_, std::nullopt); }
  Instant poll_timeout() const { return due_; }

  Doubt doubt() const { return doubt_; }

 private:
  enum class State : std::uint8_t {
    idle,     // there is nothing to check, or it would tell nothing
    asked,
    sent,
    waiting,  // to ask again
    done      // until there is another mapping
  };
  Doubt judge() const;
  std::vector<PeerId> servers() const;
  void ask(Instant now);
  void pause(Instant now);

  Rng rng_;
  View view_;
  State state_ = State::idle;
  Doubt doubt_ = Doubt::none;
  unsigned missed_ = 0;   // packets that were sent and did not arrive
  std::uint32_t number_ = 0;
  std::optional<PeerId> asked_;
  std::vector<wire::stun::TransactionId> transactions_;  // of this mapping: a packet may be late
  Instant due_ = kNever;
  std::optional<Ask> ask_;
  std::optional<Verdict> verdict_;
};

/// For people; without a full stop.
std::string_view describe(MappingCheck::Doubt doubt);

}  // namespace pw::mesh
