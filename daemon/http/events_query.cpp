#include "http/events_query.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/nearest.hpp"

namespace pw::http {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status take(EventsQuery& query, const std::string& key, const std::string& value) {
  if (key == "since") {
    query.after = number(value);
    if (query.after) return {};
    const auto age = parse_duration(value);
    if (!age) return fail("\"since\" must be a sequence number, or a duration such as 5m");
    query.age = *age;
  } else if (key == "peer") {
    query.peer = value;
  } else if (key == "type") {
    if (std::find(event::kEventNames.begin(), event::kEventNames.end(), value) == event::kEventNames.end()) {
      const auto meant = nearest(value, event::kEventNames);
      return fail("\"type\" is no type of event" + (meant ? "; did you mean \"" + *meant + "\"?" : std::string{}));
    }
    query.type = value;
  } else if (key == "limit") {
    const auto limit = number(value);
    if (!limit || *limit == 0 || *limit > observe::RecentEvents::kCapacity)
      return fail("\"limit\" must be an integer from 1 to " + std::to_string(observe::RecentEvents::kCapacity));
    query.limit = static_cast<std::size_t>(*limit);
  } else {
    const auto meant = nearest(key, std::array<std::string_view, 4>{"since", "peer", "type", "limit"});
    return fail("unknown parameter" +
                (meant ? "; did you mean \"" + *meant + "\"?" : ": since, peer, type and limit are known"));
  }
  return {};
}

std::vector<observe::Entry> select(const observe::RecentEvents& recent, const EventsQuery& query,
                                   const std::optional<PeerId>& peer, WallTime now) {
  const std::optional<std::string_view> type =
      query.type.empty() ? std::nullopt : std::optional<std::string_view>{query.type};
  if (query.after) return recent.query(*query.after, peer, type, query.limit);
  auto entries = recent.query(0, peer, type, observe::RecentEvents::kCapacity);
  const auto too_old = [&](const observe::Entry& entry) { return query.age && now - entry.at > *query.age; };
  std::erase_if(entries, too_old);
  if (entries.size() > query.limit)
    entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(query.limit));
  return entries;
}

}  // namespace

Result<EventsQuery> parse_events_query(const Target& target) {
  EventsQuery query;
  for (const auto& [key, value] : target.parameters)
    if (auto taken = take(query, key, value); !taken) return tl::unexpected{taken.error()};
  return query;
}

Result<Duration> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view suffix;
    Duration length;
  };
  constexpr std::array kUnits = {Unit{"ms", 1ms}, Unit{"s", 1s}, Unit{"m", 1min}, Unit{"h", 1h}, Unit{"d", 24h}};
  constexpr Duration kLongest = 24h * 3653;
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto value = number(text.substr(0, digits));
  for (const Unit& unit : kUnits) {
    if (!value || text.substr(digits) != unit.suffix) continue;
    if (*value > static_cast<std::uint64_t>(kLongest / unit.length))
      return fail("the duration is longer than ten years");
    return unit.length * static_cast<std::int64_t>(*value);
  }
  return fail("a duration is a number with one of ms, s, m, h, d");
}

std::string events_document(const observe::RecentEvents& recent, const EventsQuery& query,
                            const std::optional<PeerId>& peer, WallTime now) {
  std::string out = "{\"oldest\":" + std::to_string(recent.oldest()) +
                    ",\"newest\":" + std::to_string(recent.newest()) + ",\"events\":[";
  bool first = true;
  for (const observe::Entry& entry : select(recent, query, peer, now)) {
    if (!first) out += ',';
    first = false;
    out += to_json(entry);
  }
  out += "]}\n";
  return out;
}

StreamStart stream_start(const observe::RecentEvents& recent, const EventsQuery& query,
                         const std::optional<PeerId>& peer, std::string_view last_event_id, WallTime now) {
  StreamStart start;
  start.peer = peer;
  start.type = query.type;
  const auto last = number(last_event_id);
  start.resumes = last || query.after || query.age;
  if (last) {
    start.after = *last;
  } else if (query.after) {
    start.after = *query.after;
  } else if (query.age) {
    EventsQuery all = query;
    all.limit = observe::RecentEvents::kCapacity;
    const auto entries = select(recent, all, peer, now);
    start.after = entries.empty() ? recent.newest() : entries.front().seq - 1;
  } else {
    start.after = recent.newest();
  }
  return start;
}

}  // namespace pw::http
