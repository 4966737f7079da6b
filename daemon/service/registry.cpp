#include "service/registry.hpp"

#include <algorithm>

namespace pw::service {

using wire::service::Refusal;

bool share_a_tag(const std::vector<Digest>& a, const std::vector<Digest>& b) {
  return std::ranges::any_of(a, [&](const Digest& tag) { return std::ranges::find(b, tag) != b.end(); });
}

Registry::Outcome Registry::add(Instant now, const PeerId& peer, ByteView bytes, std::vector<Digest> tags,
                                const std::optional<SocketAddress>& observed) {
  const auto known = entries_.find(peer);
  if (known == entries_.end() && entries_.size() >= max_entries_) return {Refusal::full, {}, false};
  const auto record = wire::decode_record(bytes);
  if (!record) return {Refusal::bad_record, {}, false};
  switch (wire::judge(*record, peer, 0, known == entries_.end() ? 0 : known->second.sequence)) {
    case wire::RecordVerdict::good:
      break;
    case wire::RecordVerdict::older:
      return {Refusal::old_record, {}, false};
    case wire::RecordVerdict::wrong_id:
    case wire::RecordVerdict::expired:
      return {Refusal::bad_record, {}, false};
  }
  const Duration lifetime = std::min<Duration>(std::chrono::seconds{record->lifetime_s}, max_lifetime_);
  entries_.insert_or_assign(peer, Registration{Buffer(bytes.begin(), bytes.end()), record->sequence, std::move(tags),
                                               observed, now, now + lifetime});
  deadlines_.set(peer, now + lifetime);
  return {{}, lifetime, known == entries_.end()};
}

void Registry::observe(const PeerId& peer, const SocketAddress& address) {
  if (const auto found = entries_.find(peer); found != entries_.end()) found->second.observed = address;
}

const Registration* Registry::find(const PeerId& peer) const {
  const auto found = entries_.find(peer);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<PeerId> Registry::of_mesh(const std::vector<Digest>& tags, const std::optional<PeerId>& after,
                                      std::size_t limit, bool& more) const {
  std::vector<PeerId> found;
  more = false;
  for (auto i = after ? entries_.upper_bound(*after) : entries_.begin(); i != entries_.end() && !more; ++i) {
    if (!share_a_tag(tags, i->second.tags)) continue;
    more = found.size() == limit;
    if (!more) found.push_back(i->first);
  }
  return found;
}

std::optional<std::pair<PeerId, std::vector<Digest>>> Registry::expire(Instant now) {
  const PeerId* due = deadlines_.due(now);
  if (due == nullptr) return std::nullopt;
  const auto found = entries_.find(*due);
  std::pair gone{found->first, std::move(found->second.tags)};
  deadlines_.clear(gone.first);
  entries_.erase(found);
  return gone;
}

}  // namespace pw::service
