#include "sim/net/router.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "sim/net/net.hpp"

namespace pw::net {
namespace {

std::vector<IpAddress> pool_of(const std::vector<IpAddress>& addresses) {
  std::vector<IpAddress> pool;
  std::ranges::copy_if(addresses, std::back_inserter(pool),
                       [](const IpAddress& a) { return a.family() == Family::v4; });
  return pool;
}

}  // namespace

Router::Router(Net& net, std::string name, RouterOptions options, Rng rng)
    : Device{net, std::move(name)},
      options_{std::move(options)},
      rng_{std::move(rng)},
      firewall_{options_.firewall},
      port_mapper_{options_.port_mapper} {}

Interface& Router::attach_outer(Segment& segment, std::vector<IpAddress> addresses, const Link& access) {
  PW_CHECK(outer_ == nullptr);
  if (options_.nat) nat_.emplace(*options_.nat, pool_of(addresses), rng_.split());
  outer_ = &segment.attach(*this, std::move(addresses), access);
  for (const Prefix& prefix : behind_) segment.add_route(prefix, *outer_);
  return *outer_;
}

Interface& Router::attach_inner(Segment& segment, std::vector<IpAddress> addresses, const std::vector<Prefix>& behind) {
  Interface& made = *inner_.emplace_back(&segment.attach(*this, std::move(addresses)));
  for (const IpAddress& address : made.addresses) segment.set_gateway(address.family(), made);
  for (const Prefix& prefix : behind) {
    behind_.push_back(prefix);
    if (outer_ != nullptr) outer_->segment.add_route(prefix, *outer_);
  }
  return made;
}

void Router::reboot(Duration d) {
  down_until_ = net_.now_ + d;
  if (nat_) nat_->reboot();
  firewall_.reboot();
  port_mapper_.reboot(down_until_);
}

void Router::change_addresses(std::vector<IpAddress> outer) {
  const std::vector<IpAddress> pool = pool_of(outer);
  if (nat_ && pool != nat_->addresses()) {
    nat_->change_addresses(pool);
    port_mapper_.reboot(net_.now_);
  }
  outer_->segment.set_addresses(*outer_, std::move(outer));
}

void Router::drop(const Packet& packet, Drop reason) { net_.dropped(packet, reason, name()); }

bool Router::owns(const IpAddress& address) const {
  return (outer_ != nullptr && outer_->has(address)) ||
         std::ranges::any_of(inner_, [&](const Interface* i) { return i->has(address); });
}

void Router::arrive(Interface& at, Packet packet) {
  if (net_.now_ < down_until_) return drop(packet, Drop::no_route);
  // An outer IPv4 address of a NAT stands for what is behind it.
  const IpAddress& to = packet.destination.ip;
  const bool translated = nat_ && to.family() == Family::v4 && outer_->has(to);
  if (!translated && owns(to)) return for_itself(at, packet);
  if (&at == outer_) return inbound(std::move(packet));
  if (!lower_ttl(packet)) return drop(packet, Drop::ttl);
  outbound(at, std::move(packet));
}

bool Router::lower_ttl(Packet& packet) {
  if (packet.ttl <= 1) return false;
  --packet.ttl;
  return true;
}

void Router::for_itself(Interface& at, const Packet& packet) {
  const bool request = packet.protocol == Protocol::udp && packet.destination.port == kPortMappingPort &&
                       &at != outer_ && at.has(packet.destination.ip);
  std::optional<Buffer> answer;
  if (request) answer = port_mapper_.answer(net_.now_, packet.source, packet.payload, nat());
  if (!answer) return drop(packet, Drop::no_listener);
  ++net_.packets_arrived_;
  Packet reply;
  reply.id = net_.next_packet_++;
  reply.source = packet.destination;
  reply.destination = packet.source;
  reply.payload = std::move(*answer);
  ++net_.packets_sent_;
  at.segment.send(at, std::move(reply));
}

void Router::outbound(Interface& at, Packet packet) {
  if (Interface* const neighbour = inside(&at, packet.destination.ip))
    return neighbour->segment.send(*neighbour, std::move(packet));
  if (const auto refused = firewall_.from_inside(net_.now_, packet)) return drop(packet, *refused);
  if (outer_ == nullptr) return drop(packet, Drop::no_route);
  if (nat_ && packet.source.ip.family() == Family::v4) {
    const NatBox::Verdict verdict = nat_->from_inside(net_.now_, packet);
    if (verdict.way == NatBox::Way::drop) return drop(packet, verdict.reason);
    if (verdict.way == NatBox::Way::in) return deliver_inside(std::move(packet));
  }
  outer_->segment.send(*outer_, std::move(packet));
}

void Router::inbound(Packet packet) {
  if (nat_ && packet.destination.ip.family() == Family::v4) {
    // Nobody outside reaches an inner address past the NAT.
    if (!outer_->has(packet.destination.ip)) return drop(packet, Drop::no_route);
    const NatBox::Verdict verdict = nat_->from_outside(net_.now_, packet);
    if (verdict.way == NatBox::Way::drop) return drop(packet, verdict.reason);
  }
  // Only now is it known to be for somebody else: what comes to an address of the router itself needs no TTL, and the NAT
  // has seen it.
  if (!lower_ttl(packet)) return drop(packet, Drop::ttl);
  if (const auto refused = firewall_.from_outside(net_.now_, packet)) return drop(packet, *refused);
  deliver_inside(std::move(packet));
}

Interface* Router::inside(const Interface* except, const IpAddress& destination) const {
  for (Interface* i : inner_)
    if (i != except && i->segment.route(*i, destination) != nullptr) return i;
  return nullptr;
}

void Router::deliver_inside(Packet packet) {
  Interface* const to = inside(nullptr, packet.destination.ip);
  if (to == nullptr) return drop(packet, Drop::no_route);
  to->segment.send(*to, std::move(packet));
}

}  // namespace pw::net
