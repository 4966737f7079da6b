#include "observe/recent.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "observe/fields.hpp"
#include "observe/time_text.hpp"

namespace pw::observe {

bool worth_keeping(const event::Event& e) {
  using namespace event;
  // That nobody is at an address that was checked is no end of anything; hours of a hundred relayed sessions are made of it.
  if (const auto* forgotten = std::get_if<PathForgotten>(&e)) return forgotten->why != PathEnd::unanswered;
  return !(std::holds_alternative<EchoMeasured>(e) || std::holds_alternative<ProbeMeasured>(e) ||
           std::holds_alternative<ProbesAccounted>(e) || std::holds_alternative<PathLatency>(e) ||
           std::holds_alternative<PacketRejected>(e) || std::holds_alternative<PipeRefused>(e) ||
           std::holds_alternative<CheckRefused>(e) || std::holds_alternative<InboundChannelClosed>(e) ||
           std::holds_alternative<ServiceRequested>(e) || std::holds_alternative<CandidatesRefused>(e) ||
           std::holds_alternative<NodeLate>(e) || std::holds_alternative<QueueDropped>(e) ||
           std::holds_alternative<BudgetDenied>(e));
}

std::string to_json(const Entry& entry) {
  std::string out = "{\"seq\":" + std::to_string(entry.seq) + ",\"time\":\"" + rfc3339(entry.at) + "\",\"type\":\"";
  out += event::name_of(entry.event);
  out += "\",\"message\":";
  append_json_string(out, message_of(entry.event));
  for (const Field& field : fields_of(entry.event)) {
    out += ',';
    append_json(out, field);
  }
  out += '}';
  return out;
}

void RecentEvents::add(Entry entry) {
  PW_CHECK(entry.seq > newest());
  if (capacity_ == 0) return;
  if (ring_.size() == capacity_) ring_.pop_front();
  ring_.push_back(std::move(entry));
}

std::vector<Entry> RecentEvents::query(std::uint64_t since_seq, const std::optional<PeerId>& peer,
                                       const std::optional<std::string_view>& type, std::size_t limit) const {
  std::vector<Entry> found;
  auto at = std::upper_bound(ring_.begin(), ring_.end(), since_seq,
                             [](std::uint64_t seq, const Entry& entry) { return seq < entry.seq; });
  for (; at != ring_.end() && found.size() < limit; ++at) {
    if (peer && event::peer_of(at->event) != peer) continue;
    if (type && event::name_of(at->event) != *type) continue;
    found.push_back(*at);
  }
  return found;
}

}  // namespace pw::observe
