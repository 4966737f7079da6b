// What the connections of one endpoint share: its options, the tables that lead packets to them, and the queues that
// they append to.
#pragma once

#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/rng.hpp"
#include "quic/endpoint.hpp"
#include "sim/standin/recovery.hpp"
#include "sim/standin/wire.hpp"

namespace pw::quic::standin {

struct Shared {
  Shared(Options o, const PeerId& id, Rng r)
      : options{std::move(o)}, self{id}, rng{std::move(r)}, reset_key{digest(options.static_secret, 1)} {}

  /// From the connection ID and a secret that survives a restart, like QUIC's (RFC 9000 section 10.3.2).
  std::uint64_t reset_token(std::uint64_t id) const { return spread(id ^ reset_key); }

  const Options options;
  const PeerId self;
  Rng rng;
  const std::uint64_t reset_key;

  /// A connection is found by its handle, which is also its connection ID; by the ID that its dialler made up before it
  /// knew ours; and, if we dialled, by the token that its acceptor resets it with.
  std::unordered_map<std::uint64_t, Handle> first_ids;
  std::unordered_map<std::uint64_t, Handle> reset_tokens;
  std::deque<Event> events;
  std::deque<Transmit> transmits;
  std::uint64_t dropped_datagrams = 0;

  // The packet being read.
  PathAddress from;
  Instant received_at{};
  std::vector<Sent> acknowledged;
  std::vector<Sent> lost;
};

}  // namespace pw::quic::standin
