#include "http/event_feed.hpp"

namespace pw::http {
namespace {

constexpr std::string_view kRetry = "retry: 2000\n\n";  // milliseconds until a browser comes back

std::string missed(std::string_view count) {
  return "event: missed\ndata: {\"at_most\":" + std::string{count} + "}\n\n";
}

}  // namespace

EventFeed::EventFeed(StreamStart start, const observe::RecentEvents& recent)
    : start_{std::move(start)}, recent_{recent} {}

std::string EventFeed::greeting() {
  std::string text{kRetry};
  if (!start_.resumes) return text;
  if (start_.after > recent_.newest()) {
    start_.after = 0;
    return text + missed("null");
  }
  if (recent_.oldest() > start_.after + 1) text += missed(std::to_string(recent_.oldest() - 1 - start_.after));
  return text;
}

EventFeed::Piece EventFeed::next() {
  Piece piece;
  if (greeted_ && recent_.newest() == start_.after) return piece;
  if (!greeted_) {
    greeted_ = true;
    piece.text = greeting();
  } else if (seen_oldest_ != 0 && recent_.oldest() != seen_oldest_ && recent_.oldest() > start_.after + 1) {
    // Numbers may have gaps: only events that were there, and left, are a loss.
    piece.lost = recent_.oldest() - 1 - start_.after;
    return piece;
  }
  seen_oldest_ = recent_.oldest();
  const auto type = start_.type.empty() ? std::nullopt : std::optional<std::string_view>{start_.type};
  const auto entries = recent_.query(start_.after, start_.peer, type, kMaxEntries);
  piece.events = entries.size();
  for (const observe::Entry& entry : entries)
    piece.text += "id: " + std::to_string(entry.seq) + "\nevent: " + std::string{name_of(entry.event)} +
                  "\ndata: " + to_json(entry) + "\n\n";
  // Short of a full piece everything up to the newest was looked at, what the filter left out included.
  start_.after = entries.size() == kMaxEntries ? entries.back().seq : recent_.newest();
  return piece;
}

std::uint64_t EventFeed::pending() const {
  const auto type = start_.type.empty() ? std::nullopt : std::optional<std::string_view>{start_.type};
  return recent_.query(start_.after, start_.peer, type, observe::RecentEvents::kCapacity).size();
}

}  // namespace pw::http
