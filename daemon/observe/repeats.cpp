#include "observe/repeats.hpp"

#include "observe/fields.hpp"

namespace pw::observe {

std::vector<Repeats::Line> Repeats::add(const event::Record& record, bool summed) {
  std::vector<Line> out = close(record.at);
  const Key key{record.event.index(), event::peer_of(record.event), reason_of(record.event)};
  const auto found = open_.find(key);
  if (found != open_.end()) {
    found->second.last = record.event;
    ++found->second.held;
    return out;
  }
  if (open_.size() >= kMaxOpen) close_oldest(out);
  open_.emplace(key, Window{record.event, summed ? 1U : 0U});
  ends_.emplace_back(saturating_add(record.at, kWindow), key);
  if (!summed) out.push_back({record.event, 0});
  return out;
}

std::vector<Repeats::Line> Repeats::close(Instant now) {
  std::vector<Line> out;
  while (!ends_.empty() && ends_.front().first <= now) close_oldest(out);
  return out;
}

void Repeats::close_oldest(std::vector<Line>& out) {
  const auto found = open_.find(ends_.front().second);
  ends_.pop_front();
  if (found->second.held != 0) out.push_back({std::move(found->second.last), found->second.held});
  open_.erase(found);
}

}  // namespace pw::observe
