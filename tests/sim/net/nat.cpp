#include "sim/net/nat.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "sim/net/nat_side.hpp"

namespace pw::net {
namespace {

using namespace nat;  // NOLINT: its tables, in the one file that handles them

// Expired entries removed by one packet, of each kind: more than the one of each kind that a packet can add, so that
// what is left over shrinks; few enough that no packet pays for a whole table.
constexpr std::size_t kSweep = 64;
// Flows of both protocols: four for every mapping of a full table of the usual size. One host that sends to ever new
// remotes through one mapping must not fill the memory.
constexpr std::size_t kMaxFlows = std::size_t{4} * 65536;
// Tracked tuples of both protocols: as many as the connection table of a common router. What comes beyond leaves no trace.
constexpr std::size_t kMaxTracked = 65536;
// Mappings, and then ports, tried for a flow whose remote holds tracked tuples, as the kernel's search gives up: its sprays
// of probes could otherwise make one packet walk through all of them.
constexpr std::size_t kMaxAttempts = 128;

}  // namespace

struct NatBox::Impl {
  NatOptions options;
  std::vector<IpAddress> outer;
  Rng rng;
  std::array<Side, 2> sides;  // by protocol
  std::uint64_t last_id = 0;

  Impl(NatOptions o, std::vector<IpAddress> pool, Rng r) : options{o}, outer{std::move(pool)}, rng{r} { start(); }

  void start() {
    PW_CHECK(!outer.empty());
    for (const IpAddress& a : outer) PW_CHECK(a.family() == Family::v4);
    for (Side& side : sides) {
      side = {};
      side.timeout = &side == &sides[0] ? options.timeout : options.tcp_timeout;
      side.ports.reserve(outer.size());
      for (std::size_t i = 0; i < outer.size(); ++i) side.ports.emplace_back(options, rng);
    }
  }

  /// Echoes of ICMP share UDP's: their remotes have port 0, which no UDP has.
  Side& side_of(Protocol p) { return sides[p == Protocol::tcp ? 1 : 0]; }
  const Side& side_of(Protocol p) const { return sides[p == Protocol::tcp ? 1 : 0]; }

  std::optional<std::size_t> index_of(const IpAddress& ip) const {
    const auto found = std::ranges::find(outer, ip);
    return found != outer.end() ? std::optional{static_cast<std::size_t>(found - outer.begin())} : std::nullopt;
  }
  /// REQ-2 "paired": always the same one for an inner address.
  std::size_t paired(const IpAddress& inner) const { return std::hash<IpAddress>{}(inner) % outer.size(); }

  /// The remotes that share a mapping, as a key: RFC 4787 section 4.1.
  SocketAddress scope(const SocketAddress& remote) const {
    switch (options.mapping) {
      case Dependence::endpoint_independent: return {};  // REQ-1
      case Dependence::address_dependent: return {remote.ip, 0};
      case Dependence::address_and_port_dependent: return remote;
    }
    return remote;
  }

  /// Whether this is the outer endpoint that all flows of the inner one have or would get. A static mapping there is
  /// theirs, too: a kernel that preserves ports has no reason to choose another.
  bool is_natural(const SocketAddress& inner, const SocketAddress& at) const {
    return options.mapping == Dependence::endpoint_independent && options.ports == PortAllocation::preserving &&
           (options.pooling == Pooling::paired || outer.size() == 1) &&
           at == SocketAddress{outer[paired(inner.ip)], inner.port};
  }

  // ---- mappings come and go
  std::size_t table_size() const {
    std::size_t n = 0;
    for (const Side& side : sides) n += side.mappings.size() + side.fixed.size();
    return n;
  }
  void release(Side& side, const SocketAddress& at) {
    side.at.erase(at);
    side.ports[*index_of(at.ip)].release(at.port);
  }
  void remove(Side& side, Entry& entry) {
    const SocketAddress outer_end = entry.key;
    const SocketAddress inner = entry.value.inner;
    release(side, outer_end);
    if (entry.value.fixed) {
      side.fixed_until.clear(inner);
      side.fixed.erase(inner);
      return;
    }
    const auto same = side.of.find({inner, entry.value.scope});
    std::erase(same->second, &entry);
    if (same->second.empty()) side.of.erase(same);
    side.mappings.erase(outer_end);
  }
  /// Also those of the other protocol: they take room in the same table.
  void sweep(Instant now) {
    for (Side& side : sides) {
      for (std::size_t i = 0; i < kSweep; ++i) {
        Entry* entry = side.mappings.oldest_expired(now);
        if (entry == nullptr) break;
        remove(side, *entry);
      }
      for (std::size_t i = 0; i < kSweep; ++i) {
        const SocketAddress* inner = side.fixed_until.due(now);
        if (inner == nullptr) break;
        remove(side, side.fixed.at(*inner));
      }
      side.flows.sweep(now, kSweep);
      side.sent_to.sweep(now, kSweep);
      side.tracked.sweep(now, kSweep);
    }
  }
  /// An expired mapping that waits to be swept must not be in the way of one that wants its port.
  void reclaim(Instant now, Side& side, const SocketAddress& at) {
    const auto found = side.at.find(at);
    if (found != side.at.end() && !found->second->lives(now)) remove(side, *found->second);
  }

  /// The id of the inner endpoint's dynamic mapping in its natural place, which goes: a static one comes instead, and
  /// has its flows.
  std::optional<std::uint64_t> take_over(Side& side, const SocketAddress& inner, const SocketAddress& at) {
    const auto found = side.at.find(at);
    if (found == side.at.end() || found->second->value.fixed || found->second->value.inner != inner ||
        !is_natural(inner, at))
      return std::nullopt;
    const std::uint64_t id = found->second->value.id;
    remove(side, *found->second);
    return id;
  }

  // ---- outward
  bool tracked(Instant now, const Side& side, const SocketAddress& remote, const SocketAddress& at) const {
    return options.input_accepts && side.tracked.find(now, {remote, at}) != nullptr;
  }

  /// Where a new flow goes: as a kernel, which follows what its source did last. Older ones serve remotes that probed the
  /// newer ones first.
  const Entry* newest(Instant now, const Side& side, const SocketAddress& inner, const SocketAddress& remote,
                      bool& stolen) const {
    const auto fixed = side.fixed.find(inner);
    if (fixed != side.fixed.end() && fixed->second.lives(now) && is_natural(inner, fixed->second.key)) {
      if (!tracked(now, side, remote, fixed->second.key)) return &fixed->second;
      stolen = true;
    }
    const auto same = side.of.find({inner, scope(remote)});
    if (same == side.of.end()) return nullptr;
    const auto& entries = same->second;
    const std::size_t end = entries.size() > kMaxAttempts ? entries.size() - kMaxAttempts : 0;
    for (std::size_t i = entries.size(); i > end; --i) {
      if (!entries[i - 1]->lives(now)) continue;
      if (!tracked(now, side, remote, entries[i - 1]->key)) return entries[i - 1];
      stolen = true;
    }
    return nullptr;
  }

  /// The mapping that carries packets from `inner` to `remote`, if there is one. `stolen`: there would be, if probes of
  /// that remote had not come first.
  const Entry* outbound(Instant now, const Side& side, const SocketAddress& inner, const SocketAddress& remote,
                        bool& stolen) const {
    if (const auto* flow = side.flows.find(now, {inner, remote}))
      if (const Entry* entry = side.carrier(now, flow->value)) return entry;
    return newest(now, side, inner, remote, stolen);
  }

  std::optional<SocketAddress> free_endpoint(Instant now, Side& side, std::size_t address, const SocketAddress& inner,
                                             const SocketAddress& remote, bool stolen) {
    reclaim(now, side, SocketAddress{outer[address], inner.port});
    bool refused = stolen && !side.ports[address].is_free(inner.port);
    for (std::size_t attempt = 0; attempt < kMaxAttempts; ++attempt) {
      const auto port = side.ports[address].offer(options, inner.port, refused, rng);
      if (!port) break;
      const SocketAddress at{outer[address], *port};
      if (!tracked(now, side, remote, at)) return at;
      refused = true;
    }
    return std::nullopt;
  }

  Entry* create(Instant now, Side& side, const SocketAddress& inner, const SocketAddress& remote, bool stolen,
                Drop& reason) {
    if (table_size() >= options.max_mappings) {
      reason = Drop::table_full;
      return nullptr;
    }
    const bool pairs = options.pooling == Pooling::paired;
    const std::size_t first = pairs ? paired(inner.ip) : rng.below(outer.size());
    std::optional<SocketAddress> at;
    for (std::size_t i = 0; !at && i < (pairs ? 1 : outer.size()); ++i)
      at = free_endpoint(now, side, (first + i) % outer.size(), inner, remote, stolen);
    if (!at) {
      reason = Drop::ports_exhausted;
      return nullptr;
    }
    side.ports[*index_of(at->ip)].take(at->port);
    Entry& entry = side.mappings.put(*at, {++last_id, inner, scope(remote), false}, saturating_add(now, side.timeout));
    side.at[*at] = &entry;
    side.of[{inner, entry.value.scope}].push_back(&entry);
    return &entry;
  }

  void refresh(Instant now, Side& side, const Entry& entry, const SocketAddress& remote) {
    const Instant expires = saturating_add(now, side.timeout);
    if (!entry.value.fixed) side.mappings.refresh(entry.key, expires);
    side.flows.put({entry.value.inner, remote}, {entry.value.id, entry.key}, expires);
    if (options.filtering == Dependence::address_dependent)
      side.sent_to.put({entry.value.id, remote.ip}, {}, expires);
  }
  bool room_for_flow(const Side& side, const Ends& key) const {
    return sides[0].flows.size() + sides[1].flows.size() < kMaxFlows || side.flows.contains(key);
  }

  Verdict from_inside(Instant now, Packet& packet) {
    Side& side = side_of(packet.protocol);
    const SocketAddress inner = packet.source;
    const SocketAddress remote = packet.destination;
    sweep(now);
    const bool to_self = index_of(remote.ip).has_value();
    if (to_self && options.hairpin == Hairpin::none) return {Way::drop, Drop::no_hairpin};  // breaks REQ-9
    Drop reason = Drop::table_full;
    if (!room_for_flow(side, {inner, remote})) return {Way::drop, reason};
    bool stolen = false;
    const Entry* entry = outbound(now, side, inner, remote, stolen);
    if (entry == nullptr) entry = create(now, side, inner, remote, stolen, reason);
    if (entry == nullptr) return {Way::drop, reason};
    refresh(now, side, *entry, remote);  // REQ-6: "Outbound refresh behavior" of "True"
    packet.source = entry->key;
    if (!to_self) return {Way::out};
    const Verdict verdict = inward(now, side, packet);
    // REQ-9a: the receiver sees "External source IP address and port".
    if (verdict.way == Way::drop || options.hairpin == Hairpin::internal_source) packet.source = inner;
    return verdict;
  }

  // ---- inward
  /// RFC 4787 section 5; REQ-8. Static mappings are open to everybody.
  bool permits(Instant now, const Side& side, const Entry& entry, const SocketAddress& remote) const {
    if (entry.value.fixed) return true;
    switch (options.filtering) {
      case Dependence::endpoint_independent: return true;
      case Dependence::address_dependent: return side.sent_to.find(now, {entry.value.id, remote.ip}) != nullptr;
      case Dependence::address_and_port_dependent: {
        const auto* flow = side.flows.find(now, {entry.value.inner, remote});
        return flow != nullptr && flow->value.id == entry.value.id;
      }
    }
    return false;
  }

  /// Also a hairpinned packet: what filters those from outside filters it too.
  Verdict inward(Instant now, Side& side, Packet& packet) {
    const SocketAddress& remote = packet.source;
    const auto found = side.at.find(packet.destination);
    if (found == side.at.end() || !found->second->lives(now)) return {Way::drop, Drop::no_mapping};
    const Entry& entry = *found->second;
    if (!permits(now, side, entry, remote)) return {Way::drop, Drop::filtered};
    const Ends ends{entry.value.inner, remote};
    if (entry.value.fixed) {
      // The answer leaves by it, unless a flow to this remote is under way on another mapping.
      if (!room_for_flow(side, ends)) return {Way::drop, Drop::table_full};
      const auto* flow = side.flows.find(now, ends);
      const Entry* other = flow != nullptr ? side.carrier(now, flow->value) : nullptr;
      if (other == nullptr || other == &entry) refresh(now, side, entry, remote);
    } else if (options.inbound_refreshes) {  // REQ-6a: it may
      const Instant expires = saturating_add(now, side.timeout);
      side.mappings.refresh(entry.key, expires);
      if (const auto* flow = side.flows.find(now, ends); flow != nullptr && flow->value.id == entry.value.id)
        side.flows.refresh(ends, expires);
      if (side.sent_to.find(now, {entry.value.id, remote.ip})) side.sent_to.refresh({entry.value.id, remote.ip}, expires);
    }
    packet.destination = entry.value.inner;
    return {Way::in};
  }

  Verdict from_outside(Instant now, Packet& packet) {
    Side& side = side_of(packet.protocol);
    sweep(now);
    if (!index_of(packet.destination.ip)) return {Way::drop, Drop::no_mapping};
    const Ends tuple{packet.source, packet.destination};
    if (tracked(now, side, tuple.a, tuple.b)) {
      side.tracked.refresh(tuple, saturating_add(now, options.input_tracking));
      return {Way::drop, Drop::no_mapping};
    }
    const Verdict verdict = inward(now, side, packet);
    // It belongs to no flow, so a router whose own programs might want it takes it for its own.
    const bool strange = verdict.reason == Drop::no_mapping || verdict.reason == Drop::filtered;
    if (verdict.way == Way::drop && strange && options.input_accepts &&
        sides[0].tracked.size() + sides[1].tracked.size() < kMaxTracked)
      side.tracked.put(tuple, {}, saturating_add(now, options.input_tracking));
    return verdict;
  }
};

NatBox::NatBox(NatOptions options, std::vector<IpAddress> outer, Rng rng) {
  PW_CHECK(options.first_port > 0 && options.first_port <= options.last_port);
  PW_CHECK(options.step != 0);
  PW_CHECK(options.timeout > 0s && options.tcp_timeout > 0s && options.input_tracking > 0s);
  impl_ = std::make_unique<Impl>(options, std::move(outer), rng);
}
NatBox::~NatBox() = default;
NatBox::NatBox(NatBox&&) noexcept = default;

NatBox::Verdict NatBox::from_inside(Instant now, Packet& packet) {
  return packet.source.ip.family() == Family::v6 ? Verdict{Way::out} : impl_->from_inside(now, packet);
}

NatBox::Verdict NatBox::from_outside(Instant now, Packet& packet) {
  return packet.destination.ip.family() == Family::v6 ? Verdict{Way::in} : impl_->from_outside(now, packet);
}

Result<SocketAddress> NatBox::map(Instant now, const SocketAddress& inner, Protocol protocol, std::uint16_t wanted,
                                  Instant expires) {
  Side& side = impl_->side_of(protocol);
  impl_->sweep(now);
  if (const auto found = side.fixed.find(inner); found != side.fixed.end()) {
    if (found->second.lives(now)) {
      found->second.expires = expires;
      side.fixed_until.set(inner, expires);
      return found->second.key;
    }
    impl_->remove(side, found->second);
  }
  if (impl_->table_size() >= options().max_mappings) return fail("no room for another mapping");
  SocketAddress at{impl_->outer[0], wanted != 0 ? wanted : inner.port};
  impl_->reclaim(now, side, at);
  const auto id = impl_->take_over(side, inner, at);
  if (at.port == 0 || side.at.contains(at) || (wanted == 0 && !side.ports[0].is_free(at.port))) {
    const auto port = side.ports[0].next_free(at.port);
    if (!port) return fail("no outer port is free");
    at.port = *port;
  }
  side.ports[0].take(at.port);
  Entry& entry = side.fixed[inner];
  entry = {at, {id ? *id : ++impl_->last_id, inner, {}, true}, expires};
  side.fixed_until.set(inner, expires);
  side.at[at] = &entry;
  return at;
}

void NatBox::unmap(const SocketAddress& inner, Protocol protocol) {
  Side& side = impl_->side_of(protocol);
  if (const auto found = side.fixed.find(inner); found != side.fixed.end()) impl_->remove(side, found->second);
}

void NatBox::reboot() { impl_->start(); }

void NatBox::change_addresses(std::vector<IpAddress> outer) {
  impl_->outer = std::move(outer);
  impl_->start();
}

const NatOptions& NatBox::options() const { return impl_->options; }
const std::vector<IpAddress>& NatBox::addresses() const { return impl_->outer; }

std::size_t NatBox::mappings(Instant now) const {
  std::size_t n = 0;
  for (const Side& side : impl_->sides) {
    n += side.mappings.living(now);
    n += static_cast<std::size_t>(std::ranges::count_if(side.fixed, [&](const auto& f) { return f.second.lives(now); }));
  }
  return n;
}

std::optional<SocketAddress> NatBox::outer_of(Instant now, const SocketAddress& inner,
                                              const SocketAddress& remote) const {
  bool stolen = false;
  const Entry* entry = impl_->outbound(now, impl_->side_of(Protocol::udp), inner, remote, stolen);
  return entry != nullptr ? std::optional{entry->key} : std::nullopt;
}

}  // namespace pw::net
