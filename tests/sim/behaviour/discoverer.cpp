#include "sim/behaviour/discoverer.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "wire/stun.hpp"

namespace pw::net {
namespace {

// Where the system takes ports from, at random, as Linux does.
constexpr std::uint16_t kFirstPort = 32768;
constexpr std::uint16_t kPorts = 28232;

}  // namespace

// ---- Discoverer

Discoverer::Discoverer(Machine& machine, Family family, nat::BehaviourOptions options, Rng rng)
    : discovery{family, options, rng.split(), next_via}, machine_{machine}, family_{family}, rng_{std::move(rng)} {
  PW_CHECK(machine_.open(*this, kOwnPort));
  vias_[Via::own] = kOwnPort;
}

Discoverer::~Discoverer() { machine_.kill(*this); }

void Discoverer::start(const std::vector<SocketAddress>& servers) {
  std::vector<IpAddress> hosts;
  for (const Interface* interface : machine_.interfaces())
    for (const IpAddress& address : interface->addresses)
      if (address.family() == family_) hosts.push_back(address);
  started_ = machine_.now();
  took.reset();
  discovery.start(machine_.now(), servers, hosts, kOwnPort);
  drain(machine_.now());
  machine_.rearm(*this);
}

void Discoverer::stop() {
  discovery.stop();
  drain(machine_.now());
  machine_.rearm(*this);
}

std::uint16_t Discoverer::open_any() {
  for (;;)
    if (const auto port = machine_.open(*this, static_cast<std::uint16_t>(kFirstPort + rng_.below(kPorts)))) return *port;
}

void Discoverer::drain(Instant now) {
  for (bool any = true; any;) {
    any = false;
    while (const auto request = discovery.poll_request()) {
      any = true;
      if (const auto* open = std::get_if<event::OpenSocket>(&*request)) {
        PW_CHECK(open->family == family_ && discovery.owns(open->via) && !vias_.contains(open->via));
        if (!opens_sockets) {
          discovery.handle_socket(now, open->via, fail("too many open files"));
          continue;
        }
        vias_[open->via] = open_any();
        discovery.handle_socket(now, open->via, SocketAddress{IpAddress::any(family_), vias_[open->via]});
      } else {
        const Via via = std::get<event::CloseSocket>(*request).via;
        machine_.close(vias_.at(via));
        vias_.erase(via);
      }
      most_sockets = std::max(most_sockets, vias_.size() - 1);
    }
    while (const auto t = discovery.poll_transmit()) {
      any = true;
      ++packets_in_all;
      if (!discovery.done()) ++packets;
      if (packets_in_all > 1) closest = std::min(closest, now - last_packet_);
      last_packet_ = now;
      ++asked[t->path.remote];
      machine_.send(vias_.at(t->path.via), t->path, t->bytes);
    }
  }
  if (!took && discovery.done()) took = now - started_;
}

void Discoverer::handle_arrival(Instant now, const Arrival& arrival) {
  const auto via = std::ranges::find(vias_, arrival.port, [](const auto& v) { return v.second; });
  const auto decoded = wire::stun::decode(arrival.bytes);
  if (via == vias_.end() || !decoded) return;
  PathAddress from = arrival.path;
  from.via = via->first;
  discovery.handle_stun(now, arrival.received_at, from, decoded->message);
  drain(now);
}

void Discoverer::handle_timeout(Instant now) {
  discovery.handle_timeout(now);
  drain(now);
}

// ---- Place

Place::Place(const PlaceOptions& options)
    : family{options.family},
      net{options.seed},
      internet{net.add_segment("internet", options.internet)},
      machine{net.add_machine("machine")} {
  for (unsigned i = 0; i < options.servers.size(); ++i) {
    Machine& m = net.add_machine("server " + std::to_string(i));
    m.attach(internet, {address(i, 1), address(i, 2)});
    servers.push_back(std::make_unique<StunServer>(m, family, options.servers[i]));
  }
  inside = &internet;
  std::vector<IpAddress> outer;
  for (unsigned i = 0; i < options.pool; ++i) outer.push_back(address(100, i + 1));
  for (unsigned i = 0; i < options.routers.size(); ++i) {
    const RouterOptions& o = options.routers[i];
    Segment& next = net.add_segment("inside " + std::to_string(i));
    Router& r = net.add_router("router " + std::to_string(i), o);
    r.attach_outer(*inside, outer);
    // Without a NAT its inside is part of the internet and must be routed to.
    const bool translates = o.nat && family == Family::v4;
    const auto at = [&](std::uint8_t number) {
      return translates ? IpAddress::v4({10, static_cast<std::uint8_t>(i), 0, number}) : address(200 + i, number);
    };
    std::vector<Prefix> behind;
    if (!translates) behind.push_back(Prefix{at(0), family == Family::v4 ? 24U : 112U});
    r.attach_inner(next, {at(1)}, behind);
    outer = {at(2)};
    inside = &next;
  }
  machine.attach(*inside, outer, options.access);
  node = std::make_unique<Discoverer>(machine, family, options.discovery, net.rng_for("discoverer"));
}

IpAddress Place::address(unsigned group, unsigned number) const {
  const auto g = static_cast<std::uint8_t>(group);
  const auto n = static_cast<std::uint8_t>(number);
  if (family == Family::v4) return IpAddress::v4({11, 0, g, n});
  return IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, g, 0, n});
}

std::vector<SocketAddress> Place::addresses() const {
  std::vector<SocketAddress> out;
  for (const auto& server : servers) out.push_back(server->primary());
  return out;
}

void Place::discover(std::vector<SocketAddress> asked) {
  node->start(asked.empty() ? addresses() : asked);
  const Instant limit = net.now() + 1h;
  while (!node->discovery.done() && net.step(limit)) {
  }
  PW_CHECK(node->discovery.done());
}

// ---- every kind

std::vector<NatOptions> every_nat() {
  constexpr Dependence kDependences[] = {Dependence::endpoint_independent, Dependence::address_dependent,
                                         Dependence::address_and_port_dependent};
  struct Allocator {
    PortAllocation ports;
    int step;
  };
  constexpr Allocator kAllocators[] = {{PortAllocation::preserving, 1},
                                       {PortAllocation::sequential, 1},
                                       {PortAllocation::sequential, -2},
                                       {PortAllocation::sequential, 7},
                                       {PortAllocation::random, 1}};
  std::vector<NatOptions> out;
  for (const Dependence mapping : kDependences)
    for (const Dependence filtering : kDependences)
      for (const Allocator& a : kAllocators) {
        NatOptions o;
        o.mapping = mapping;
        o.filtering = filtering;
        o.ports = a.ports;
        o.step = a.step;
        out.push_back(o);
      }
  return out;
}

}  // namespace pw::net
