// The tables behind the stand-in's door.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadlines.hpp"
#include "base/token_bucket.hpp"
#include "quic/endpoint.hpp"
#include "quic/source_limits.hpp"
#include "sim/standin/connection.hpp"
#include "sim/standin/lingering.hpp"
#include "sim/standin/shared.hpp"

namespace pw::quic {

struct Endpoint::Impl {
  using Connection = standin::Connection;

  Impl(Options options, const PeerId& self, Rng rng)
      : shared{std::move(options), self, std::move(rng)},
        sources{shared.options.initials_per_second, shared.options.max_sources, KeyedHash{shared.rng.next()}} {}

  Connection* find(Handle handle) const {
    const auto found = connections.find(handle);
    return found == connections.end() ? nullptr : found->second.get();
  }
  void advance(Instant to) { now = std::max(now, to); }
  void mark(Connection& c) {
    if (!std::exchange(c.dirty, true)) dirty.push_back(c.handle());
  }
  std::nullopt_t reject(event::RejectReason reason, const PathAddress& from) {
    rejected.push_back({reason, from.remote});
    return std::nullopt;
  }
  Handle new_handle() { return Handle{shared.rng.next()}; }

  void settle(Connection& c);
  void retire(Connection& c);
  void write_dirty();
  void expire(Handle handle);

  // demux.cpp
  std::optional<Handle> handle_datagram(const PathAddress& from, ByteView bytes);
  std::optional<Handle> handle_unknown(const standin::Header& header, std::optional<ByteView> frames,
                                       const PathAddress& from, ByteView bytes);
  void send_reset(std::uint64_t id, const PathAddress& to, std::size_t size);
  void refuse(const standin::Header& header, const PathAddress& to);

  /// Stateless answers a second, as the daemon's.
  static constexpr double kAnswersPerSecond = 500;

  standin::Shared shared;  // outlives the connections
  SourceLimits sources;
  TokenBucket answers{kAnswersPerSecond, kAnswersPerSecond};
  Instant now{};
  std::unordered_map<Handle, std::unique_ptr<Connection>> connections;
  std::map<Handle, standin::Lingering> lingering;
  Deadlines<Handle> deadlines;
  std::vector<Handle> dirty;
  std::deque<Rejected> rejected;
  std::size_t half_open = 0;
};

}  // namespace pw::quic
