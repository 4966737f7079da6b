#include "nat/birthday.hpp"

#include <algorithm>

namespace pw::nat {

PortRange infer_range(std::vector<std::uint16_t> samples) {
  constexpr std::size_t kLeast = 4;
  // Of a full range, eight samples lie so near to one another once in 50 000.
  constexpr int kWide = 8192;
  constexpr int kLeastMargin = 64;
  if (samples.size() < kLeast) return {};
  const auto [low, high] = std::ranges::minmax(samples);
  const int spread = high - low;
  if (spread >= kWide) return {};
  // From the outermost sample to the end of the range it is as far as between samples, on average: twice that.
  const int margin = std::max(kLeastMargin, 2 * spread / (static_cast<int>(samples.size()) - 1));
  return {static_cast<std::uint16_t>(std::max(1, low - margin)),
          static_cast<std::uint16_t>(std::min(65535, high + margin))};
}

unsigned sockets_for(const PortRange& range, unsigned most) {
  constexpr unsigned kPortsASocket = 32;
  return std::clamp(range.size() / kPortsASocket, 1U, most);
}

PortSearch::PortSearch(const PortRange& range, Rng rng) : rng_{rng} {
  ports_.reserve(range.size());
  for (std::uint32_t port = range.first; port <= range.last; ++port) ports_.push_back(static_cast<std::uint16_t>(port));
}

std::optional<std::uint16_t> PortSearch::next() {
  if (tried_ == ports_.size()) return std::nullopt;
  // Fisher and Yates, as far as it is needed.
  std::swap(ports_[tried_], ports_[tried_ + rng_.below(ports_.size() - tried_)]);
  return ports_[tried_++];
}

// ---- SearchSockets

void SearchSockets::start(Instant now) {
  const std::size_t n = task_.servers.empty() ? 0 : std::min<std::size_t>(kSamples, task_.sockets);
  for (std::size_t i = 0; i < n; ++i) vias_.push_back(pool_.open());
  progress(now);
}

void SearchSockets::progress(Instant now) {
  now_ = now;
  if (failure_ || held_) return;
  if (!range_) {
    for (const Via via : vias_) {
      if (pool_.state(via) != SocketPool::State::open || std::ranges::find(asked_, via) != asked_.end()) continue;
      sampler_.ask(now, via, task_.servers.front());
      asked_.push_back(via);
    }
    const bool settled = std::ranges::all_of(vias_, [&](Via v) {
      return pool_.state(v) == SocketPool::State::failed || sampler_.settled(v);
    });
    if (!settled) return;
    spread();
  }
  std::erase_if(unsent_, [&](Via v) { return pool_.state(v) == SocketPool::State::failed; });
  const bool none = std::ranges::all_of(vias_, [&](Via v) { return pool_.state(v) == SocketPool::State::failed; });
  if (none) failure_ = PunchFailure::budget;
}

void SearchSockets::spread() {
  std::vector<std::uint16_t> ports;
  for (const Via via : vias_)
    if (const auto outer = sampler_.outer(via)) ports.push_back(outer->port);
  sampler_.clear();
  range_ = infer_range(std::move(ports));
  const unsigned wanted = sockets_for(*range_, task_.sockets);
  while (vias_.size() < wanted) vias_.push_back(pool_.open());
  unsent_.assign(vias_.begin(), vias_.end());
  messages_.push_back({.kind = PunchMessage::Kind::sample, .first = range_->first, .count = range_->size()});
}

std::optional<Order> SearchSockets::poll_order(Instant now) {
  now_ = now;
  if (held_ || unsent_.empty() || pool_.state(unsent_.front()) != SocketPool::State::open) return std::nullopt;
  const Via via = unsent_.front();
  unsent_.pop_front();
  return Order{path_by(via, task_.peer), task_.opener_ttl};
}

Instant SearchSockets::order_at() const {
  return held_ || unsent_.empty() || pool_.state(unsent_.front()) != SocketPool::State::open ? kNever : now_;
}

// ---- Probes

bool Probes::handle_sample(Instant now, const PunchMessage& sample) {
  if (search_) return true;  // once a round
  if (sample.first == 0 || sample.step != 1 || sample.count == 0 || sample.count > 65536U - sample.first) return false;
  informed_ = true;
  search_.emplace(PortRange{sample.first, static_cast<std::uint16_t>(sample.first + sample.count - 1)}, rng_.split());
  next_ = now;
  return true;
}

std::optional<Order> Probes::poll_order(Instant now) {
  if (order_at() > now) return std::nullopt;
  const auto port = search_->next();
  if (!port || search_->tried() == task_.probes) next_ = kNever;
  if (!port) return std::nullopt;
  if (next_ != kNever) next_ = now + task_.interval;
  return Order{path_by(Via::own, {task_.peer.ip, *port}), 0};
}

Instant Probes::order_at() const { return held_ ? kNever : next_; }

}  // namespace pw::nat
