// The endpoint's tables: connections by handle, handles by connection ID and by reset token, deadlines, and the
// connections that have something to write.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadlines.hpp"
#include "quic/connection.hpp"
#include "quic/endpoint.hpp"
#include "quic/lingering.hpp"
#include "quic/shared.hpp"
#include "quic/source_limits.hpp"
#include "quic/stateless.hpp"

namespace pw::quic {

struct Endpoint::Impl {
  Impl(Options options, const Identity& identity, Rng rng)
      : shared{std::move(options), identity, std::move(rng)},
        stateless{shared},
        sources{shared.options.initials_per_second, shared.options.max_sources, shared.hash} {}

  Connection* find(Handle handle) {
    const auto found = connections.find(handle);
    return found == connections.end() ? nullptr : found->second.get();
  }
  void advance(Instant to) { now = std::max(now, to); }  // ngtcp2 asserts that time goes on
  void mark(Connection& c) {
    if (std::exchange(c.dirty, true)) return;
    dirty.push_back(c.handle());
  }
  std::nullopt_t reject(event::RejectReason reason, const PathAddress& from) {
    rejected.push_back({reason, from.remote});
    return std::nullopt;
  }

  void settle(Connection& c);
  void retire(Connection& c);
  void write_dirty();
  void expire(Handle handle);

  std::optional<Handle> handle_datagram(const PathAddress& from, ByteView bytes);
  std::optional<Handle> handle_known(Handle handle, const PathAddress& from, ByteView bytes);
  std::optional<Handle> handle_unknown(const ngtcp2_version_cid& header, const PathAddress& from, ByteView bytes);
  std::optional<Handle> handle_initial(const PathAddress& from, ByteView bytes);
  std::optional<Handle> accept(const PathAddress& from, ByteView bytes, const Origin& origin);

  Shared shared;  // outlives the connections
  Stateless stateless;
  SourceLimits sources;
  Instant now{};
  std::uint64_t last_handle = 0;
  std::unordered_map<Handle, std::unique_ptr<Connection>> connections;
  std::map<Handle, Lingering> lingering;
  Deadlines<Handle> deadlines;
  std::vector<Handle> dirty;
  std::deque<Rejected> rejected;
  std::size_t half_open = 0;
};

}  // namespace pw::quic
