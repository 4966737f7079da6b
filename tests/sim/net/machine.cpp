// What a machine is: interfaces, sockets, and how its packets leave and reach it. When its programs run: machine_turn.cpp.
#include "sim/net/machine.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "sim/net/net.hpp"
#include "sim/net/tcp_segment.hpp"

namespace pw::net {
namespace {

// Where Linux takes ephemeral ports from (net.ipv4.ip_local_port_range).
constexpr std::uint16_t kFirstEphemeral = 32768;
constexpr std::uint16_t kLastEphemeral = 60999;

}  // namespace

Machine::Machine(Net& net, std::string name, std::size_t index, Rng rng)
    : Device{net, std::move(name)}, index_{index}, rng_{std::move(rng)} {}

// ---- interfaces

Interface& Machine::attach(Segment& segment, std::vector<IpAddress> addresses, const Link& access) {
  Interface& made = segment.attach(*this, std::move(addresses), access);
  interfaces_.push_back(&made);
  changed();
  return made;
}

void Machine::detach(Interface& interface) {
  PW_CHECK(std::erase(interfaces_, &interface) == 1);
  interface.segment.detach(interface);
  changed();
}

void Machine::set_addresses(Interface& interface, std::vector<IpAddress> addresses) {
  interface.segment.set_addresses(interface, std::move(addresses));
  changed();
}

void Machine::set_enabled(Interface& interface, bool enabled) {
  if (std::exchange(interface.enabled, enabled) != enabled) changed();
}

void Machine::changed() {
  for (Running& r : programs_) r.network_changed = true;
  schedule();
}

// ---- sockets and programs

std::optional<std::uint16_t> Machine::open(Program& program, std::uint16_t port, Protocol protocol) {
  if (port == 0) {
    constexpr std::uint32_t kPorts = kLastEphemeral - kFirstEphemeral + 1;
    const auto first = static_cast<std::uint32_t>(rng_.below(kPorts));
    for (std::uint32_t i = 0; i < kPorts && port == 0; ++i) {
      const auto candidate = static_cast<std::uint16_t>(kFirstEphemeral + (first + i) % kPorts);
      if (!sockets_.contains(key(protocol, candidate))) port = candidate;
    }
    if (port == 0) return std::nullopt;
  }
  if (!sockets_.try_emplace(key(protocol, port), Socket{&program}).second) return std::nullopt;
  rearm(program);
  return port;
}

void Machine::close(std::uint16_t port, Protocol protocol) {
  const auto socket = sockets_.find(key(protocol, port));
  if (socket == sockets_.end()) return;
  Program& program = *socket->second.program;
  sockets_.erase(socket);
  std::erase_if(waiting_, [&](const Waiting& w) {
    return w.packet.protocol == protocol && w.packet.destination.port == port;
  });
  if (std::ranges::none_of(sockets_, [&](const auto& s) { return s.second.program == &program; })) forget(program);
}

void Machine::kill(Program& program) {
  std::erase_if(sockets_, [&](const auto& s) { return s.second.program == &program; });
  std::erase_if(waiting_, [&](const Waiting& w) {
    return !sockets_.contains(key(w.packet.protocol, w.packet.destination.port));
  });
  forget(program);
}

void Machine::forget(const Program& program) {
  std::erase_if(programs_, [&](const Running& r) { return r.program == &program; });
  schedule();
}

Machine::Running* Machine::running(const Program& program) {
  const auto found = std::ranges::find(programs_, &program, &Running::program);
  return found == programs_.end() ? nullptr : &*found;
}

void Machine::rearm(Program& program) {
  Running* r = running(program);
  if (r == nullptr) r = &programs_.emplace_back(Running{&program});
  r->deadline = program.poll_timeout();
  schedule();
}

// ---- packets

std::pair<Interface*, std::optional<Drop>> Machine::way_out(const PathAddress& path) const {
  if (!path.local.is_unspecified()) {
    for (Interface* i : interfaces_)
      if (i->has(path.local)) return {i, std::nullopt};
    return {nullptr, Drop::no_address};
  }
  const IpAddress& to = path.remote.ip;
  Interface* by_gateway = nullptr;
  Drop reason = Drop::interface_down;
  for (Interface* i : interfaces_) {
    if (!i->enabled) continue;
    if (!i->address(to.family())) {
      reason = Drop::no_address;
      continue;
    }
    reason = Drop::no_route;
    if (const Interface* next = i->segment.route(*i, to); next != nullptr && next->has(to)) return {i, std::nullopt};
    if (by_gateway == nullptr && i->segment.next_hop(*i, to) != nullptr) by_gateway = i;
  }
  if (by_gateway == nullptr) return {nullptr, reason};
  return {by_gateway, std::nullopt};
}

bool Machine::owns(const IpAddress& address) const {
  return std::ranges::any_of(interfaces_, [&](const Interface* i) { return i->has(address); });
}

std::optional<IpAddress> Machine::source_for(const IpAddress& destination) const {
  if (destination.is_loopback() || owns(destination)) return destination;
  const Interface* const interface = way_out({{}, {destination, 0}}).first;
  return interface == nullptr ? std::nullopt : interface->address(destination.family());
}

void Machine::send(std::uint16_t port, const PathAddress& path, ByteView bytes, std::uint8_t ttl, Protocol protocol) {
  Packet packet{net_.next_packet_++, index_, protocol, ttl, {path.local, port}, path.remote, {bytes.begin(), bytes.end()}};
  const bool own = path.remote.ip.is_loopback() || owns(path.remote.ip);
  if (own && path.local.is_unspecified()) packet.source.ip = path.remote.ip;
  if (own || asleep()) {
    net_.sent(*this, packet);
    if (asleep()) return net_.dropped(packet, Drop::machine_down, name());
    return net_.push(net_.now_, {std::move(packet), nullptr, 0, index_, Leg::home});
  }
  const auto [interface, trouble] = way_out(path);
  if (interface != nullptr && path.local.is_unspecified()) packet.source.ip = *interface->address(path.remote.ip.family());
  net_.sent(*this, packet);
  if (interface == nullptr) return net_.dropped(packet, *trouble, name());
  interface->segment.send(*interface, std::move(packet));
}

void Machine::arrive(Interface&, Packet packet) {
  if (!owns(packet.destination.ip)) return net_.dropped(packet, Drop::no_route, name());
  // A program is called when a packet comes from the queue, never in the middle of another's sending.
  if (net_.delivering_) return take(std::move(packet));
  net_.push(net_.now_, {std::move(packet), nullptr, 0, index_, Leg::home});
}

void Machine::inject(const SocketAddress& from, std::uint16_t port, Buffer bytes) {
  IpAddress local = IpAddress::any(from.ip.family());
  for (const Interface* i : interfaces_)
    if (local.is_unspecified()) local = i->address(from.ip.family()).value_or(local);
  Packet packet;
  packet.id = net_.next_packet_++;
  packet.source = from;
  packet.destination = {local, port};
  packet.payload = std::move(bytes);
  ++net_.packets_sent_;
  net_.push(net_.now_, {std::move(packet), nullptr, 0, index_, Leg::home});
}

void Machine::take(Packet packet) {
  if (asleep()) return net_.dropped(packet, Drop::machine_down, name());
  const auto socket = sockets_.find(key(packet.protocol, packet.destination.port));
  if (socket == sockets_.end()) {
    net_.dropped(packet, Drop::no_listener, name());
    if (packet.protocol != Protocol::tcp) return;
    if (const auto reset = refusal(packet.payload))
      send(packet.destination.port, {packet.destination.ip, packet.source}, *reset, kDefaultTtl, Protocol::tcp);
    return;
  }
  if (waiting_.empty() && can_run()) {
    net_.arrived(*this, packet);
    return handle(packet, now());
  }
  const std::size_t size = packet.payload.size() + kReceiveOverhead;
  if (socket->second.waiting + size > receive_buffer) return net_.dropped(packet, Drop::receive_buffer, name());
  socket->second.waiting += size;
  net_.arrived(*this, packet);
  waiting_.push_back({std::move(packet), now()});
  schedule();
}

}  // namespace pw::net
