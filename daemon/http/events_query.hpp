// What ?since=&peer=&type=&limit= and Last-Event-ID ask of the recent events.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"
#include "http/target.hpp"
#include "observe/recent.hpp"

namespace pw::http {

inline constexpr std::size_t kDefaultEvents = 100;

struct EventsQuery {
  std::optional<std::uint64_t> after;  // a sequence number: what follows it
  std::optional<Duration> age;         // "5m": what is not older
  std::string peer;                    // as a person writes it; empty: all
  std::string type;                    // empty: all
  std::size_t limit = kDefaultEvents;
};

/// Errors: an unknown parameter or event type (with the nearest known), a malformed number or duration.
Result<EventsQuery> parse_events_query(const Target& target);

/// "250ms", "90s", "5m", "2h", "1d": a whole number and a unit, at most ten years.
Result<Duration> parse_duration(std::string_view text);

/// {"oldest":…,"newest":…,"events":[…]}. With `after` the first `limit` of what follows, else the last `limit`.
std::string events_document(const observe::RecentEvents& recent, const EventsQuery& query,
                            const std::optional<PeerId>& peer, WallTime now);

/// Last-Event-ID (what a browser sends when it comes back) goes before ?since=. A malformed one is no error: the
/// stream then starts from now, as a first visit does.
StreamStart stream_start(const observe::RecentEvents& recent, const EventsQuery& query,
                         const std::optional<PeerId>& peer, std::string_view last_event_id, WallTime now);

}  // namespace pw::http
