#include "observe/peer_table.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "observe/exposition.hpp"
#include "observe/label_choice.hpp"

namespace pw::observe {
namespace {

using event::NodeSnapshot;
using event::PeerSnapshot;
using event::SessionState;

/// What was added since `last`. A total never falls: one that begins anew follows a removal.
std::uint64_t advance(std::uint64_t& last, std::uint64_t now) {
  return now > last ? now - std::exchange(last, now) : 0;
}

std::uint64_t total_bytes(const event::TrafficByPath& traffic) {
  std::uint64_t sum = 0;
  for (const auto& path : traffic)
    for (const event::Traffic& t : path) sum += t.bytes;
  return sum;
}

double loss_of(const event::LossWindow& window) {
  return window.expected == 0 ? kAbsent : static_cast<double>(window.lost) / static_cast<double>(window.expected);
}

double badness_of(const PeerSnapshot& peer) {
  if (peer.state != SessionState::connected)
    return peer.method == event::DiscoveryMethod::configured && !peer.held ? 1.0 : 0.0;
  return std::max({0.0, loss_of(peer.loss_forward), loss_of(peer.loss_return)});
}

std::int64_t whole(const std::optional<double>& value) {
  return value && *value >= 0 && *value < 9e18 ? std::llround(*value) : kAbsent;
}
std::int64_t whole(const std::optional<std::uint64_t>& value) {
  return value ? static_cast<std::int64_t>(*value) : kAbsent;
}
std::int64_t whole(const std::optional<event::BandwidthEstimate>& estimate) {
  return estimate ? whole(std::optional{estimate->bytes_per_second}) : kAbsent;
}

std::int64_t milliseconds_at(WallTime wall, Duration later) {
  return std::chrono::floor<std::chrono::milliseconds>(wall.time_since_epoch() + later).count();
}

std::array<UsablePath, kPaths> usable_paths(const PeerSnapshot& peer) {
  using event::PathSize;
  // Of the sizes, from the worst.
  const auto worth = [](const UsablePath& p) { return !p ? 0 : *p == PathSize::small ? 1 : *p == PathSize::unknown ? 2 : 3; };
  std::array<UsablePath, kPaths> out{};
  for (const event::PathSnapshot& path : peer.paths) {
    const auto kind = static_cast<std::size_t>(path.kind);
    if (path.health == event::PathHealth::dead || kind >= kPaths) continue;
    if (worth(path.size) > worth(out[kind])) out[kind] = path.size;
  }
  return out;
}

PeerGauges gauges_of(const PeerSnapshot& peer, Instant at, WallTime wall) {
  PeerGauges g;
  g.known = true;
  g.path = peer.path;
  g.usable = usable_paths(peer);
  g.breaker = peer.breaker.state;
  if (peer.last_seen) g.last_seen_ms = milliseconds_at(wall, *peer.last_seen - at);
  if (peer.jitter) g.jitter_ns = peer.jitter->count();
  g.bandwidth = {whole(peer.bandwidth_inbound), whole(peer.bandwidth_outbound)};
  g.estimate = {whole(peer.estimate_inbound), whole(peer.estimate_outbound)};
  g.loss = {loss_of(peer.loss_forward), loss_of(peer.loss_return)};
  g.cwnd = whole(peer.cwnd);
  g.in_flight = whole(peer.bytes_in_flight);
  return g;
}

}  // namespace

std::size_t PeerTable::find_or_add(const PeerId& id) {
  const auto [entry, fresh] = index_.try_emplace(id, rows_.size());
  if (!fresh) return entry->second;
  Row& row = rows_.emplace_back(id);
  if (labelled_ < limit_)
    give_label(row);
  else
    has_other_ = true;
  return rows_.size() - 1;
}

void PeerTable::add(const PeerId& id) {
  rows_[find_or_add(id)].gone_since = kNever;
}

void PeerTable::remove(const PeerId& id, Instant at, const event::PeerTotals& totals) {
  const auto found = index_.find(id);
  if (found == index_.end()) return;
  Row& row = rows_[found->second];
  row.gone_since = at;
  absorb_traffic(row, totals);
  row.last = {};  // if it is found again, its totals begin anew
  row.traffic_then = 0;
}

PeerCounters& PeerTable::counters_of(const PeerId& id) {
  const auto found = index_.find(id);
  if (found != index_.end() && rows_[found->second].labelled) return rows_[found->second].counters;
  has_other_ = true;
  return other_;
}

void PeerTable::give_label(Row& row) {
  if (row.label.empty()) row.label = labels_.take(row.id);
  row.labelled = true;
  row.text.reset();
  ++labelled_;
}

void PeerTable::take_label(Row& row) {
  constexpr std::size_t kInfo = 1;
  evicted_series_ += kInfo + count_series(row.counters, paths_);
  row.labelled = false;
  row.text.reset();
  --labelled_;
  has_other_ = true;
}

void PeerTable::limit(std::size_t max_labelled) {
  if (max_labelled == limit_) return;
  limit_ = max_labelled;
  choose_now_ = true;
}

void PeerTable::relabel(PeerLabel mode, Buffer key) {
  labels_ = PeerLabels{mode, std::move(key)};
  for (Row& row : rows_) {
    row.text.reset();
    row.label = row.labelled ? labels_.take(row.id) : std::string{};
  }
}

std::vector<PeerSeries> PeerTable::fold(const NodeSnapshot& node, WallTime wall) {
  ++generation_;
  order_.clear();
  for (const PeerSnapshot& peer : node.peers) {
    order_.push_back(find_or_add(peer.id));
    absorb(rows_[order_.back()], peer);
  }
  std::vector<PeerSeries> out = series(node, wall);
  evict(node.at);
  if (choose_now_ || node.at >= next_choice_) choose(node.at);
  return out;
}

void PeerTable::absorb(Row& row, const PeerSnapshot& peer) {
  row.generation = generation_;
  row.gone_since = kNever;
  if (peer.always_label && !row.always && !row.labelled) choose_now_ = true;
  row.always = peer.always_label;
  row.badness = badness_of(peer);
  for (const event::PathSnapshot& path : peer.paths) paths_ |= path_bit(path.kind);
  absorb_traffic(row, peer);
}

void PeerTable::absorb_traffic(Row& row, const event::PeerTotals& peer) {
  PeerCounters& to = row.labelled ? row.counters : other_;
  for (std::size_t path = 0; path < kPaths; ++path) {
    for (std::size_t direction = 0; direction < 2; ++direction) {
      const event::Traffic& now = peer.traffic[path][direction];
      event::Traffic& last = row.last.traffic[path][direction];
      if (now.packets != 0) paths_ |= static_cast<PathSet>(1U << path);
      to.bytes[path][direction] += advance(last.bytes, now.bytes);
    }
  }
  for (std::size_t direction = 0; direction < 2; ++direction)
    to.packets[direction] += advance(row.last.quic_packets[direction], peer.quic_packets[direction]);
  to.datagrams_lost += advance(row.last.quic_datagrams_lost, peer.quic_datagrams_lost);
}

void PeerTable::refresh_text(Row& row, const std::string& name, const std::string& software) {
  if (row.text && row.name == name && row.software == software) return;
  if (&row.name != &name) row.name = name;
  if (&row.software != &software) row.software = software;
  PeerText text;
  text.label = "peer_id=\"" + row.label + '"';
  text.info = text.label + ",name=\"";
  append_label_value(text.info, row.name);
  text.info += "\",version=\"";
  append_label_value(text.info, row.software);
  text.info += '"';
  row.text = std::make_shared<const PeerText>(std::move(text));
}

std::vector<PeerSeries> PeerTable::series(const NodeSnapshot& node, WallTime wall) {
  std::vector<PeerSeries> out;
  out.reserve(labelled_);
  for (std::size_t i = 0; i < node.peers.size(); ++i) {
    Row& row = rows_[order_[i]];
    if (!row.labelled) continue;
    refresh_text(row, node.peers[i].name, node.peers[i].software);
    out.push_back({row.text, row.counters, gauges_of(node.peers[i], node.at, wall)});
  }
  for (Row& row : rows_) {
    if (row.generation == generation_) continue;
    row.gone_since = std::min(row.gone_since, node.at);
    if (!row.labelled) continue;
    refresh_text(row, row.name, row.software);
    out.push_back({row.text, row.counters, {}});
  }
  return out;
}

void PeerTable::evict(Instant now) {
  std::vector<std::pair<Instant, PeerId>> gone;
  for (std::size_t i = rows_.size(); i-- > 0;) {
    const Instant since = rows_[i].gone_since;
    if (since == kNever) continue;
    if (saturating_add(since, retention_) <= now)
      erase(i);
    else
      gone.emplace_back(since, rows_[i].id);
  }
  if (gone.size() <= kMaxGone) return;
  std::sort(gone.begin(), gone.end());
  for (std::size_t i = 0; i + kMaxGone < gone.size(); ++i) erase(index_.at(gone[i].second));
}

void PeerTable::erase(std::size_t index) {
  Row& row = rows_[index];
  if (row.labelled) {
    const bool others = has_other_;
    take_label(row);
    has_other_ = others;
    choose_now_ = true;  // its label is free
  }
  labels_.release(row.label);
  index_.erase(row.id);
  if (index + 1 != rows_.size()) {
    row = std::move(rows_.back());
    index_[row.id] = index;
  }
  rows_.pop_back();
}

void PeerTable::choose(Instant now) {
  choose_now_ = false;
  next_choice_ = saturating_add(now, kChoiceInterval);
  std::vector<LabelCandidate> candidates;
  candidates.reserve(rows_.size());
  for (Row& row : rows_) {
    const std::uint64_t total = total_bytes(row.last.traffic);
    const bool gone = row.gone_since != kNever;
    candidates.push_back({.always = row.always && !gone,
                          .labelled = row.labelled,
                          .badness = gone ? 0 : row.badness,
                          .traffic = total - std::min(total, row.traffic_then)});
    row.traffic_then = total;
  }
  const std::vector<bool> chosen = choose_labels(candidates, limit_);
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (rows_[i].labelled && !chosen[i]) take_label(rows_[i]);
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (!rows_[i].labelled && chosen[i]) give_label(rows_[i]);
}

}  // namespace pw::observe
