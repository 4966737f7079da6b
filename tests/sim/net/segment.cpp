#include "sim/net/segment.hpp"

#include <algorithm>
#include <charconv>

#include "base/check.hpp"
#include "sim/net/net.hpp"

namespace pw::net {

bool Interface::has(const IpAddress& address) const { return std::ranges::find(addresses, address) != addresses.end(); }

std::optional<IpAddress> Interface::address(Family family) const {
  const auto found = std::ranges::find(addresses, family, &IpAddress::family);
  if (found == addresses.end()) return std::nullopt;
  return *found;
}

bool Prefix::contains(const IpAddress& address) const {
  if (address.family() != base.family()) return false;
  const ByteView a = address.bytes();
  const ByteView b = base.bytes();
  const std::size_t whole = length / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = length % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return fail("a prefix has a length: " + std::string{text});
  const auto base = IpAddress::parse(text.substr(0, slash));
  if (!base) return tl::unexpected{base.error()};
  Prefix prefix{*base, 0};
  const std::string_view digits = text.substr(slash + 1);
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, prefix.length);
  if (error != std::errc{} || stop != end || prefix.length > base->bytes().size() * 8)
    return fail("not the length of a prefix: " + std::string{text});
  return prefix;
}

// ---- who is plugged in

Segment::Segment(Net& net, std::string name, Link link, unsigned hops_inside)
    : default_link{link}, hops{hops_inside}, net_{net}, name_{std::move(name)} {}

Interface& Segment::attach(Device& device, std::vector<IpAddress> addresses, const Link& access) {
  std::string label = name_ + "/" + device.name();
  const auto before =
      std::ranges::count_if(interfaces_, [&](const auto& other) { return &other->device == &device; });
  if (before > 0) label += "#" + std::to_string(before + 1);
  interfaces_.push_back(std::unique_ptr<Interface>{new Interface{
      device, *this, net_.interfaces_.size(), label, Wire{access, net_.rng_for(label + " up")},
      Wire{access, net_.rng_for(label + " down")}, true, {}}});
  Interface& made = *interfaces_.back();
  net_.interfaces_.push_back(&made);
  set_addresses(made, std::move(addresses));
  return made;
}

void Segment::detach(Interface& interface) {
  set_addresses(interface, {});
  std::erase_if(routes_, [&](const auto& route) { return route.second == &interface; });
  for (Interface*& gateway : gateways_)
    if (gateway == &interface) gateway = nullptr;
  std::erase_if(wires_, [&](const auto& wire) {
    return wire.first >> 32 == interface.index || (wire.first & 0xffffffff) == interface.index;
  });
  net_.interfaces_[interface.index] = nullptr;
  std::erase_if(interfaces_, [&](const auto& held) { return held.get() == &interface; });
}

void Segment::set_addresses(Interface& interface, std::vector<IpAddress> addresses) {
  const std::vector<IpAddress> before = std::exchange(interface.addresses, std::move(addresses));
  for (const IpAddress& address : before)
    if (!interface.has(address)) disown(address, interface);
  for (const IpAddress& address : interface.addresses)
    if (std::ranges::find(before, address) == before.end()) own(address, interface);
}

void Segment::own(const IpAddress& address, Interface& interface) { owners_[address] = &interface; }

void Segment::disown(const IpAddress& address, const Interface& interface) {
  const auto owner = owners_.find(address);
  if (owner == owners_.end() || owner->second != &interface) return;
  owners_.erase(owner);
  for (const auto& other : interfaces_)
    if (other->has(address)) owners_[address] = other.get();
}

void Segment::set_gateway(Family family, Interface& interface) {
  gateways_[static_cast<std::size_t>(family)] = &interface;
}

void Segment::add_route(const Prefix& prefix, Interface& via) {
  const auto shorter = std::ranges::find_if(routes_, [&](const auto& r) { return r.first.length < prefix.length; });
  routes_.insert(shorter, {prefix, &via});
}

// ---- packets

Interface* Segment::route(const Interface& from, const IpAddress& destination) const {
  if (const auto owner = owners_.find(destination); owner != owners_.end())
    return owner->second == &from ? nullptr : owner->second;
  for (const auto& [prefix, via] : routes_)
    if (via != &from && prefix.contains(destination)) return via;
  return nullptr;
}

Interface* Segment::next_hop(const Interface& from, const IpAddress& destination) const {
  if (Interface* known = route(from, destination)) return known;
  if (from.has(destination)) return nullptr;
  Interface* const gateway = gateways_[static_cast<std::size_t>(destination.family())];
  return gateway == &from ? nullptr : gateway;
}

Wire& Segment::wire(const Interface& from, const Interface& to) {
  const std::uint64_t key = static_cast<std::uint64_t>(from.index) << 32 | to.index;
  if (const auto found = wires_.find(key); found != wires_.end()) return found->second;
  return wires_.try_emplace(key, default_link, net_.rng_for(from.label + " to " + to.label)).first->second;
}

Wire* Segment::wire_ahead(const Flight& flight) {
  Interface* const from = net_.interfaces_[flight.from];
  Interface* const to = net_.interfaces_[flight.to];
  switch (flight.leg) {
    case Leg::up:
      return from == nullptr ? nullptr : &from->up;
    case Leg::across: {
      const auto found = wires_.find(static_cast<std::uint64_t>(flight.from) << 32 | flight.to);
      if (found != wires_.end()) return &found->second;
      // Made when it matters only: on most segments of a large world, access links are all there is.
      const bool matters = !default_link.ideal() || flight.packet.size() > default_link.mtu;
      return matters && from != nullptr && to != nullptr ? &wire(*from, *to) : nullptr;
    }
    case Leg::down:
      return to == nullptr ? nullptr : &to->down;
    case Leg::end:
    case Leg::home:
      return nullptr;
  }
  return nullptr;
}

void Segment::send(Interface& from, Packet packet) {
  if (!from.enabled) return net_.dropped(packet, Drop::interface_down, from.label);
  const Interface* const to = next_hop(from, packet.destination.ip);
  if (to == nullptr) return net_.dropped(packet, Drop::no_route, from.label);
  advance({std::move(packet), this, from.index, to->index, Leg::up});
}

void Segment::advance(Flight flight) {
  Packet& packet = flight.packet;
  while (flight.leg != Leg::end) {
    if (flight.leg == Leg::across && hops > 0) {
      if (packet.ttl <= hops) return net_.dropped(packet, Drop::ttl, name_);
      packet.ttl = static_cast<std::uint8_t>(packet.ttl - hops);
    }
    Wire* const wire = wire_ahead(flight);
    flight.leg = static_cast<Leg>(static_cast<int>(flight.leg) + 1);
    if (wire == nullptr || (wire->link.ideal() && packet.size() <= wire->link.mtu)) continue;

    const Wire::Outcome outcome = wire->carry(net_.now_, packet);
    if (outcome.drop) return net_.dropped(packet, *outcome.drop, name_);
    if (outcome.again) {
      ++net_.packets_duplicated_;
      net_.push(*outcome.again, flight);
    }
    return net_.push(outcome.at, std::move(flight));
  }
  Interface* const to = net_.interfaces_[flight.to];
  if (to == nullptr) return net_.dropped(packet, Drop::no_route, name_);
  if (!to->enabled) return net_.dropped(packet, Drop::interface_down, to->label);
  to->device.arrive(*to, std::move(packet));
}

}  // namespace pw::net
