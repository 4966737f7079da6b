#include "sim/inflict.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::sim {
namespace {

constexpr double kBurstEnds = 0.2;            // probability a packet: bursts of five
constexpr std::size_t kShortQueue = 8 << 10;  // of a throttled link: a few packets, so that it drops and not only waits
constexpr std::size_t kLargestNoise = 1400;

/// Another address of the same network, and back.
IpAddress other_address(const IpAddress& address) {
  if (address.family() == Family::v4) {
    std::array<std::uint8_t, 4> b{};
    std::ranges::copy(address.bytes(), b.begin());
    b[2] ^= 0x80;
    return IpAddress::v4(b);
  }
  std::array<std::uint8_t, 16> b{};
  std::ranges::copy(address.bytes(), b.begin());
  b[14] ^= 0x80;
  return IpAddress::v6(b);
}

std::vector<IpAddress> other_addresses(std::vector<IpAddress> addresses) {
  for (IpAddress& a : addresses) a = other_address(a);
  return addresses;
}

/// What a NAT translates to; IPv6 stays.
std::vector<IpAddress> other_pool(std::vector<IpAddress> addresses) {
  for (IpAddress& a : addresses)
    if (a.family() == Family::v4) a = other_address(a);
  return addresses;
}

bool is_of_a_router(FaultKind kind) { return kind == FaultKind::nat_reboot || kind == FaultKind::nat_addresses; }

bool is_of_a_machine(FaultKind kind) {
  return kind < FaultKind::link_down || kind == FaultKind::interface_down || kind == FaultKind::address_change;
}

bool goes_both_ways(FaultKind kind) { return kind == FaultKind::link_down || kind == FaultKind::large_lost; }

}  // namespace

Effect effect_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::crash:
      return Effect::kills_session;
    case FaultKind::stopped:
    case FaultKind::suspended:
    case FaultKind::frozen:
    case FaultKind::link_down:
    case FaultKind::one_way:
    case FaultKind::interface_down:
    case FaultKind::address_change:
    case FaultKind::nat_reboot:
    case FaultKind::nat_addresses:
      return Effect::kills_path;
    case FaultKind::slow:
    case FaultKind::large_lost:
    case FaultKind::loss:
    case FaultKind::bursts:
    case FaultKind::delay:
    case FaultKind::jitter:
    case FaultKind::reorder:
    case FaultKind::corrupt:
    case FaultKind::throttled:
      return Effect::degrades;
    case FaultKind::duplicate:
    case FaultKind::names_down:
    case FaultKind::noise:
      return Effect::none;
  }
  PW_CHECK(false);
  return Effect::none;
}

bool is_of_a_link(FaultKind kind) { return kind >= FaultKind::link_down && kind <= FaultKind::throttled; }

void apply(Link& link, FaultKind kind, double amount) {
  switch (kind) {
    case FaultKind::link_down:
    case FaultKind::one_way:
      link.up = false;
      return;
    case FaultKind::large_lost:
      link.mtu = std::min(link.mtu, static_cast<std::size_t>(amount));
      return;
    case FaultKind::loss:
      link.loss = 1 - (1 - link.loss) * (1 - amount);
      return;
    case FaultKind::bursts:
      link.bursts = {.enter = amount, .leave = kBurstEnds, .loss = 1};
      return;
    case FaultKind::delay:
      link.delay += from_seconds(amount);
      return;
    case FaultKind::jitter:
      link.jitter += from_seconds(amount);
      return;
    case FaultKind::reorder:
      link.reorder = std::max(link.reorder, amount);
      return;
    case FaultKind::duplicate:
      link.duplicate = std::max(link.duplicate, amount);
      return;
    case FaultKind::corrupt:
      link.corrupt = std::max(link.corrupt, amount);
      return;
    case FaultKind::throttled:
      if (link.rate == 0 || amount < link.rate) link.rate = amount;
      link.queue = std::min(link.queue, kShortQueue);
      return;
    default:
      PW_CHECK(false);
  }
}

struct Faults::Active {
  Plan plan;
  std::vector<std::size_t> records;  // in World::faults
  std::vector<Link*> wires;
  std::vector<std::pair<net::Interface*, std::vector<IpAddress>>> addresses;  // as they were
  std::vector<IpAddress> pool;                                                // of a router, as it was
  Duration cost{};                                                            // of an arrival, as it was
};

Faults::Faults(World& world) : world_{world}, rng_{world.net.rng_for("faults")} {}
Faults::~Faults() = default;

bool Faults::is_free(const Host& host) const {
  return std::ranges::none_of(active_, [&](const auto& a) {
    return is_of_a_machine(a.second.plan.kind) && a.second.plan.host == host.index();
  });
}

bool Faults::is_free(const net::Router& router) const {
  return std::ranges::none_of(active_, [&](const auto& a) { return a.second.plan.router == &router; });
}

std::vector<Link*> Faults::wires(const Plan& plan) const {
  const Host& host = world_.host(plan.host);
  if (plan.other) {
    const Host& other = world_.host(*plan.other);
    std::vector<Link*> out{&world_.link(host, other)};
    if (goes_both_ways(plan.kind)) out.push_back(&world_.link(other, host));
    return out;
  }
  std::vector<Link*> out;
  for (net::Interface* i : host.machine().interfaces()) {
    out.push_back(&i->up.link);
    if (plan.kind != FaultKind::one_way) out.push_back(&i->down.link);
  }
  return out;
}

/// What a wire is now: as it was, and every active fault of it on top, in the order in which they began.
void Faults::rework(Link& link) {
  Link now = sound_.try_emplace(&link, link).first->second;
  bool any = false;
  for (const auto& [id, a] : active_)
    if (std::ranges::find(a.wires, &link) != a.wires.end()) {
      apply(now, a.plan.kind, a.plan.amount);
      any = true;
    }
  link = now;
  if (!any) sound_.erase(&link);
}

/// One record for each whom it touches: hosts behind one router share its wires and its fate.
void Faults::record(Active& a) {
  const auto begin = [&](std::optional<std::size_t> host, std::optional<std::size_t> other) {
    a.records.push_back(world_.begin({.kind = a.plan.kind,
                                      .host = host,
                                      .other = other,
                                      .router = a.plan.router ? a.plan.router->name() : std::string{},
                                      .start = {},
                                      .end = {},
                                      .amount = a.plan.amount,
                                      .effect = effect_of(a.plan.kind)}));
  };
  if (a.plan.kind == FaultKind::names_down) return begin({}, {});
  if (a.plan.other) {
    const Link* wire = a.wires.front();
    for (std::size_t i = 0; i < world_.size(); ++i)
      for (std::size_t j = 0; j < world_.size(); ++j)
        if (i != j && &world_.link(world_.host(i), world_.host(j)) == wire) begin(i, j);
    return;
  }
  if (!a.plan.router) return begin(a.plan.host, {});
  for (std::size_t i = 0; i < world_.size(); ++i) {
    const auto routers = world_.routers_of(world_.host(i));
    if (std::ranges::find(routers, a.plan.router) != routers.end()) begin(i, {});
  }
}

Faults::Id Faults::inflict(const Plan& plan) {
  PW_CHECK(!is_of_a_machine(plan.kind) || is_free(world_.host(plan.host)));
  PW_CHECK(is_of_a_router(plan.kind) == (plan.router != nullptr) && (!plan.router || is_free(*plan.router)));
  const Id id = next_++;
  Active& a = active_[id];
  a.plan = plan;
  if (is_of_a_link(plan.kind)) a.wires = wires(plan);
  record(a);
  begin(a);
  if (plan.kind == FaultKind::noise) make_noise(id);
  if (plan.lasts)
    world_.net.at(world_.now() + *plan.lasts, [this, id] {
      if (active_.contains(id)) end(id);
    });
  return id;
}

void Faults::begin(Active& a) {
  const Plan& plan = a.plan;
  if (!a.wires.empty()) {
    for (Link* wire : a.wires) rework(*wire);
    return;
  }
  Host& host = world_.host(plan.host);
  net::Machine& machine = host.machine();
  switch (plan.kind) {
    case FaultKind::crash:
      return host.kill();
    case FaultKind::stopped:
      return machine.stop(plan.lasts.value());
    case FaultKind::suspended:
      return machine.suspend(plan.lasts.value());
    case FaultKind::frozen:
      return machine.freeze(plan.lasts.value());
    case FaultKind::slow:
      a.cost = std::exchange(machine.cost_of_arrival, from_seconds(plan.amount));
      return;
    case FaultKind::interface_down:
      for (net::Interface* i : machine.interfaces()) machine.set_enabled(*i, false);
      return;
    case FaultKind::address_change:
      for (net::Interface* i : machine.interfaces()) {
        a.addresses.emplace_back(i, i->addresses);
        machine.set_addresses(*i, other_addresses(i->addresses));
      }
      return;
    case FaultKind::nat_reboot:
      plan.router->reboot(plan.lasts.value());
      return tell_forgotten(*plan.router);
    case FaultKind::nat_addresses:
      PW_CHECK(plan.router->nat());
      a.pool = plan.router->outer().addresses;
      plan.router->change_addresses(other_pool(a.pool));
      return tell_forgotten(*plan.router);
    case FaultKind::names_down:
      world_.names.up = false;
      return;
    default:  // noise begins by itself, the others are of a link
      return;
  }
}

void Faults::tell_forgotten(net::Router& router) const {
  if (forgotten) forgotten(router);
}

void Faults::finish(Active& a) {
  const Plan& plan = a.plan;
  Host& host = world_.host(plan.host);
  net::Machine& machine = host.machine();
  switch (plan.kind) {
    case FaultKind::crash:
      if (!host.running()) host.start();
      return;
    case FaultKind::stopped:
    case FaultKind::frozen:
      return machine.thaw();
    case FaultKind::slow:
      machine.cost_of_arrival = a.cost;
      return;
    case FaultKind::interface_down:
      for (net::Interface* i : machine.interfaces()) machine.set_enabled(*i, true);
      return;
    case FaultKind::address_change:
      for (const auto& [interface, addresses] : a.addresses) machine.set_addresses(*interface, addresses);
      return;
    case FaultKind::nat_addresses:
      plan.router->change_addresses(a.pool);
      return tell_forgotten(*plan.router);
    case FaultKind::names_down:
      world_.names.up = std::ranges::none_of(
          active_, [](const auto& other) { return other.second.plan.kind == FaultKind::names_down; });
      return;
    default:
      return;
  }
}

void Faults::end(Id id) {
  const auto found = active_.find(id);
  PW_CHECK(found != active_.end());
  Active a = std::move(found->second);
  active_.erase(found);
  for (Link* wire : a.wires) rework(*wire);
  finish(a);
  for (const std::size_t record : a.records) world_.end(record);
}

void Faults::end_all() {
  std::vector<Id> ids;
  for (const auto& [id, a] : active_)
    if (a.plan.kind != FaultKind::suspended && a.plan.kind != FaultKind::nat_reboot) ids.push_back(id);
  for (const Id id : ids) end(id);
}

// ---- noise

void Faults::make_noise(Id id) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  const Plan plan = found->second.plan;
  PW_CHECK(plan.amount > 0);
  forge(plan);
  world_.net.at(world_.now() + rng_.up_to(from_seconds(2 / plan.amount)), [this, id] { make_noise(id); });
}

/// Garbage, or a packet that was overheard: again, cut, or bent, to whom it went or to another.
void Faults::forge(const Plan& plan) {
  const Host& target = world_.host(plan.host);
  if (world_.overheard.empty() || rng_.chance(0.3)) {
    Buffer bytes(rng_.below(kLargestNoise));
    rng_.fill(bytes);
    return world_.inject(world_.host(rng_.below(world_.size())).address(), target, std::move(bytes));
  }
  auto packet = world_.overheard[rng_.below(world_.overheard.size())];
  if (rng_.chance(0.3)) packet.bytes.resize(rng_.below(packet.bytes.size() + 1));
  if (rng_.chance(0.3) && !packet.bytes.empty())
    packet.bytes[rng_.below(packet.bytes.size())] ^= static_cast<std::uint8_t>(1U << rng_.below(8));
  world_.inject(packet.from, rng_.chance(0.8) ? world_.host(packet.to) : target, std::move(packet.bytes));
}

}  // namespace pw::sim
