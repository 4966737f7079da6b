// The naive twin of NatBox: one list of mappings, walked through for every question; everything that has expired goes
// before anything else happens. Slow, and short enough to be seen to be right. Draws from its generator what NatBox
// promises to draw: where a sequential allocator starts, an address for arbitrary pooling, a random port.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "sim/net/nat.hpp"

namespace pw::net {

class NatTwin {
 public:
  using Verdict = NatBox::Verdict;
  using Way = NatBox::Way;

  NatTwin(NatOptions options, std::vector<IpAddress> pool, Rng rng) : o_{options}, pool_{std::move(pool)}, rng_{rng} {
    reboot();
  }

  void reboot() {
    rows_.clear();
    tracked_.clear();
    cursors_.clear();
    for (const Protocol p : {Protocol::udp, Protocol::tcp})
      for (const IpAddress& a : pool_)
        cursors_.push_back({p, a, static_cast<int>(o_.first_port + rng_.below(o_.last_port - o_.first_port + 1U))});
  }
  void change_addresses(std::vector<IpAddress> pool) {
    pool_ = std::move(pool);
    reboot();
  }

  Verdict from_inside(Instant now, Packet& packet) {
    expire(now);
    const bool back = own(packet.destination.ip);
    if (back && o_.hairpin == Hairpin::none) return {Way::drop, Drop::no_hairpin};
    Drop reason{};
    Row* row = carrier(packet.protocol, packet.source, packet.destination);
    if (row == nullptr) row = create(now, packet, reason);
    if (row == nullptr) return {Way::drop, reason};
    sent(now, *row, packet.destination);
    Packet seen = packet;
    seen.source = row->outer;
    if (back) {
      const Verdict verdict = inward(now, seen);
      if (verdict.way == Way::drop) return verdict;
      if (o_.hairpin == Hairpin::internal_source) seen.source = packet.source;
      packet = seen;
      return verdict;
    }
    packet = seen;
    return {Way::out};
  }

  Verdict from_outside(Instant now, Packet& packet) {
    expire(now);
    if (!own(packet.destination.ip)) return {Way::drop, Drop::no_mapping};
    if (Tracked* t = tracked(packet.protocol, packet.source, packet.destination)) {
      t->expires = now + o_.input_tracking;
      return {Way::drop, Drop::no_mapping};
    }
    const Verdict verdict = inward(now, packet);
    if (verdict.way == Way::drop && o_.input_accepts)
      tracked_.push_back({packet.protocol, packet.source, packet.destination, now + o_.input_tracking});
    return verdict;
  }

  std::optional<SocketAddress> map(Instant now, const SocketAddress& inner, Protocol p, std::uint16_t wanted,
                                   Instant expires) {
    expire(now);
    for (Row& row : rows_)
      if (row.fixed && row.protocol == p && row.inner == inner) {
        row.expires = expires;
        expire(now);
        return row.outer;
      }
    if (rows_.size() >= o_.max_mappings) return std::nullopt;
    const SocketAddress best{pool_[0], wanted != 0 ? wanted : inner.port};
    for (Row& row : rows_)
      if (!row.fixed && row.protocol == p && row.inner == inner && row.outer == best && natural(inner, best)) {
        row.fixed = true;
        row.expires = expires;
        row.scope = {};
        return best;
      }
    std::optional<std::uint16_t> port;
    if (wanted != 0 && free(p, {pool_[0], wanted})) port = wanted;
    if (!port) port = upwards(p, pool_[0], wanted != 0 ? wanted : inner.port);
    if (!port) return std::nullopt;
    rows_.push_back({p, inner, {}, {pool_[0], *port}, true, expires, {}, {}});
    return SocketAddress{pool_[0], *port};
  }
  void unmap(const SocketAddress& inner, Protocol p) {
    std::erase_if(rows_, [&](const Row& r) { return r.fixed && r.protocol == p && r.inner == inner; });
  }

  std::size_t mappings(Instant now) {
    expire(now);
    return rows_.size();
  }
  std::optional<SocketAddress> outer_of(Instant now, const SocketAddress& inner, const SocketAddress& remote) {
    expire(now);
    const Row* row = carrier(Protocol::udp, inner, remote);
    return row != nullptr ? std::optional{row->outer} : std::nullopt;
  }
  /// No outer endpoint of a protocol belongs to two mappings.
  bool overloaded() const {
    for (std::size_t i = 0; i < rows_.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (rows_[i].protocol == rows_[j].protocol && rows_[i].outer == rows_[j].outer) return true;
    return false;
  }

 private:
  template <class What>
  using Until = std::vector<std::pair<What, Instant>>;
  struct Row {
    Protocol protocol;
    SocketAddress inner;
    SocketAddress scope;
    SocketAddress outer;
    bool fixed;
    Instant expires;
    Until<SocketAddress> remotes;
    Until<IpAddress> addresses;
  };
  struct Tracked {
    Protocol protocol;
    SocketAddress remote;
    SocketAddress outer;
    Instant expires;
  };
  struct Cursor {
    Protocol protocol;
    IpAddress address;
    int port;
  };

  template <class What>
  static bool has(const Until<What>& list, const What& what) {
    return std::ranges::any_of(list, [&](const auto& e) { return e.first == what; });
  }
  template <class What>
  static void put(Until<What>& list, const What& what, Instant until) {
    std::erase_if(list, [&](const auto& e) { return e.first == what; });
    list.emplace_back(what, until);
  }

  void expire(Instant now) {
    std::erase_if(rows_, [&](const Row& r) { return r.expires <= now; });
    std::erase_if(tracked_, [&](const Tracked& t) { return t.expires <= now; });
    for (Row& row : rows_) {
      std::erase_if(row.remotes, [&](const auto& e) { return e.second <= now; });
      std::erase_if(row.addresses, [&](const auto& e) { return e.second <= now; });
    }
  }
  bool own(const IpAddress& ip) const { return std::ranges::find(pool_, ip) != pool_.end(); }
  Duration timeout(Protocol p) const { return p == Protocol::udp ? o_.timeout : o_.tcp_timeout; }
  SocketAddress scope(const SocketAddress& remote) const {
    if (o_.mapping == Dependence::endpoint_independent) return {};
    if (o_.mapping == Dependence::address_dependent) return {remote.ip, 0};
    return remote;
  }
  Tracked* tracked(Protocol p, const SocketAddress& remote, const SocketAddress& outer) {
    for (Tracked& t : tracked_)
      if (t.protocol == p && t.remote == remote && t.outer == outer) return &t;
    return nullptr;
  }
  bool is_for(const Row& row, Protocol p, const SocketAddress& inner, const SocketAddress& remote) const {
    return !row.fixed && row.protocol == p && row.inner == inner && row.scope == scope(remote);
  }

  bool natural(const SocketAddress& inner, const SocketAddress& outer) const {
    if (o_.mapping != Dependence::endpoint_independent || o_.ports != PortAllocation::preserving) return false;
    if (o_.pooling == Pooling::arbitrary && pool_.size() > 1) return false;
    return outer.port == inner.port && outer.ip == pool_[std::hash<IpAddress>{}(inner.ip) % pool_.size()];
  }
  bool speaks(const Row& row, Protocol p, const SocketAddress& inner) const {
    return row.fixed && row.protocol == p && row.inner == inner && natural(inner, row.outer);
  }

  Row* carrier(Protocol p, const SocketAddress& inner, const SocketAddress& remote) {
    for (Row& row : rows_)
      if (row.protocol == p && row.inner == inner && has(row.remotes, remote)) return &row;
    for (Row& row : rows_)
      if (speaks(row, p, inner) && tracked(p, remote, row.outer) == nullptr) return &row;
    for (auto row = rows_.rbegin(); row != rows_.rend(); ++row)  // made in this order
      if (is_for(*row, p, inner, remote) && tracked(p, remote, row->outer) == nullptr) return &*row;
    return nullptr;
  }
  void sent(Instant now, Row& row, const SocketAddress& remote) {
    const Instant until = now + timeout(row.protocol);
    if (!row.fixed) row.expires = until;
    put(row.remotes, remote, until);
    put(row.addresses, remote.ip, until);
  }

  // ---- ports
  bool free(Protocol p, const SocketAddress& at) const {
    return std::ranges::none_of(rows_, [&](const Row& r) { return r.protocol == p && r.outer == at; });
  }
  std::vector<std::uint16_t> free_ports(Protocol p, const IpAddress& address) const {
    std::vector<std::uint16_t> ports;
    for (unsigned port = o_.first_port; port <= o_.last_port; ++port)
      if (free(p, {address, static_cast<std::uint16_t>(port)})) ports.push_back(static_cast<std::uint16_t>(port));
    return ports;
  }
  std::optional<std::uint16_t> upwards(Protocol p, const IpAddress& address, int from) const {
    const auto ports = free_ports(p, address);
    for (const std::uint16_t port : ports)
      if (port >= from) return port;
    return ports.empty() ? std::nullopt : std::optional{ports.front()};
  }
  std::optional<std::uint16_t> downwards(Protocol p, const IpAddress& address, int from) const {
    const auto ports = free_ports(p, address);
    std::optional<std::uint16_t> below;
    for (const std::uint16_t port : ports)
      if (port <= from) below = port;
    return below || ports.empty() ? below : std::optional{ports.back()};
  }
  std::optional<std::uint16_t> offer(Protocol p, const IpAddress& address, int inner_port, bool refused) {
    const auto ports = free_ports(p, address);
    if (ports.empty()) return std::nullopt;
    if (o_.ports == PortAllocation::preserving && !refused) return upwards(p, address, inner_port);
    if (o_.ports != PortAllocation::sequential) return ports[rng_.below(ports.size())];
    const auto cursor = std::ranges::find_if(cursors_, [&](const Cursor& c) {
      return c.protocol == p && c.address == address;
    });
    cursor->port += o_.step;
    while (cursor->port > o_.last_port) cursor->port -= o_.last_port - o_.first_port + 1;
    while (cursor->port < o_.first_port) cursor->port += o_.last_port - o_.first_port + 1;
    cursor->port = *(o_.step > 0 ? upwards(p, address, cursor->port) : downwards(p, address, cursor->port));
    return static_cast<std::uint16_t>(cursor->port);
  }

  Row* create(Instant now, const Packet& packet, Drop& reason) {
    const Protocol p = packet.protocol;
    const SocketAddress& inner = packet.source;
    const SocketAddress& remote = packet.destination;
    reason = Drop::table_full;
    if (rows_.size() >= o_.max_mappings) return nullptr;
    const bool paired = o_.pooling == Pooling::paired;
    const std::size_t start = paired ? std::hash<IpAddress>{}(inner.ip) % pool_.size() : rng_.below(pool_.size());
    const bool stolen = std::ranges::any_of(rows_, [&](const Row& r) {
      return is_for(r, p, inner, remote) || speaks(r, p, inner);
    });
    for (std::size_t i = 0; i < (paired ? 1 : pool_.size()); ++i) {
      const IpAddress& address = pool_[(start + i) % pool_.size()];
      bool refused = stolen && !std::ranges::count(free_ports(p, address), inner.port);
      for (int attempt = 0; attempt < 128; ++attempt) {
        const auto port = offer(p, address, inner.port, refused);
        if (!port) break;
        if (tracked(p, remote, {address, *port}) == nullptr) {
          rows_.push_back({p, inner, scope(remote), {address, *port}, false, now, {}, {}});
          return &rows_.back();
        }
        refused = true;
      }
    }
    reason = Drop::ports_exhausted;
    return nullptr;
  }

  Verdict inward(Instant now, Packet& packet) {
    for (Row& row : rows_) {
      if (row.protocol != packet.protocol || row.outer != packet.destination) continue;
      const bool flows = has(row.remotes, packet.source);
      const bool known = has(row.addresses, packet.source.ip);
      const bool passes = row.fixed || o_.filtering == Dependence::endpoint_independent ||
                          (o_.filtering == Dependence::address_dependent ? known : flows);
      if (!passes) return {Way::drop, Drop::filtered};
      packet.destination = row.inner;
      const Instant until = now + timeout(row.protocol);
      if (row.fixed) {
        const bool elsewhere = std::ranges::any_of(rows_, [&](const Row& other) {
          return &other != &row && other.protocol == row.protocol && other.inner == row.inner &&
                 has(other.remotes, packet.source);
        });
        if (!elsewhere) sent(now, row, packet.source);
      } else if (o_.inbound_refreshes) {
        row.expires = until;
        if (flows) put(row.remotes, packet.source, until);
        if (known) put(row.addresses, packet.source.ip, until);
      }
      return {Way::in};
    }
    return {Way::drop, Drop::no_mapping};
  }

  NatOptions o_;
  std::vector<IpAddress> pool_;
  Rng rng_;
  std::vector<Row> rows_;
  std::vector<Tracked> tracked_;
  std::vector<Cursor> cursors_;
};

}  // namespace pw::net
