// What a Set says happened. The session above turns it into events of the telemetry schema, which name the peer.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/address.hpp"
#include "base/time.hpp"
#include "event/vocabulary.hpp"
#include "path/full_size.hpp"

namespace pw::path {

using Forgotten = event::PathEnd;

struct Named {
  PathAddress address;
  event::PathKind kind = event::PathKind::none;
};

/// A check of ours over it was answered for the first time. `mapped`: where the peer saw us. Small packets pass; the
/// first SizeJudged says whether large ones do.
struct PathProved { Named path; Duration rtt; std::optional<SocketAddress> mapped; };
/// Its local address is gone: it goes on from whichever the kernel takes, under another name.
struct PathMoved { Named from; Named to; };
struct PathForgotten { Named path; Forgotten why; };
struct HealthChanged { Named path; event::PathHealth from; event::PathHealth to; Duration silence; };
struct SizeJudged { Named path; Size verdict; };
/// A probe's round trip; the peer's holding time is taken out.
struct RttSampled { Named path; Duration rtt; bool suspect; };
/// As event::ProbesAccounted.
struct LossAccounted { Named path; event::ProbeDirection direction; std::uint32_t expected; std::uint32_t lost; std::uint32_t suspect; };
/// The path that this end sends on; kind none: none is alive. `silence`: since the last proof of the one before.
struct SendingPathChanged { Named from; Named to; event::PathChangeReason reason; Duration silence; };
/// Packets arrive over `to` instead of `from`, which failed: from the last proof of the old path (where only large packets
/// are lost: from when they were, as far as is known) to the first proof of the new one since packets go
/// out on it.
struct FailedOver { Named from; Named to; Duration took; };
/// Set::sending() is another list now: hand it to QUIC. `lost_since`: the path that packets went out on is in doubt or
/// dead; what was sent since then may be lost.
struct SendingChanged { std::optional<Instant> lost_since; };

using Event = std::variant<PathProved, PathMoved, PathForgotten, HealthChanged, SizeJudged, RttSampled, LossAccounted,
                           SendingPathChanged, SendingChanged, FailedOver>;

}  // namespace pw::path
