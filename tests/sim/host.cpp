#include "sim/host.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/check.hpp"
#include "nat/port_mapping_request.hpp"
#include "sim/world.hpp"

namespace pw::sim {

quic::Identity identity_of(std::size_t key) {
  quic::Identity::Seed seed{};
  seed[0] = static_cast<std::uint8_t>(key);
  seed[1] = static_cast<std::uint8_t>(key >> 8);
  seed[31] = 1;
  auto identity = quic::Identity::from_seed(seed);
  PW_CHECK(identity);
  return std::move(*identity);
}

Host::Host(World& world, std::size_t index, std::size_t key, std::string name, net::Machine& machine, Rng rng)
    : world_{world},
      index_{index},
      key_{key},
      name_{std::move(name)},
      machine_{machine},
      identity_{identity_of(key)},
      rng_{std::move(rng)} {
  options.quic.static_secret[0] = static_cast<std::uint8_t>(index + 1);
  options.quic.static_secret[1] = static_cast<std::uint8_t>((index + 1) >> 8);
  options.peer.software = "0.1.0";
  options.listening = {{IpAddress::any(Family::v4), kPort}, {IpAddress::any(Family::v6), kPort}};
}

Host::~Host() {
  if (running()) machine_.kill(*this);
}

SocketAddress Host::address(Family family) const {
  for (const net::Interface* i : machine_.interfaces())
    if (const auto ip = i->address(family)) return {*ip, kPort};
  return {IpAddress::any(family), kPort};
}

event::PeerSpec Host::spec() const {
  event::PeerSpec spec{id(), name_, false, {}};
  for (const net::Interface* i : machine_.interfaces())
    for (const IpAddress& ip : i->addresses) spec.addresses.push_back({ip.to_string(), kPort});
  return spec;
}

event::ServerSpec Host::server_spec(bool bootstrap, bool relay) const {
  event::ServerSpec spec{id(), name_, bootstrap, relay, this->spec().addresses};
  if (websocket) spec.websocket = WebSocketAddress{spec.addresses.front().host, Pipes::kPort, "/relay"};
  return spec;
}

// ---- life

void Host::start() {
  PW_CHECK(!running());
  PW_CHECK(machine_.open(*this, kPort));
  ++generation_;
  first_ticket_ = next_ticket_;
  options.services.first_sequence = 1000 * generation_;  // as time goes by between two starts
  node_ = std::make_unique<mesh::Node>(machine_.now(), options, identity_, rng_.split());
  world_.tell([&](Checker& c) { c.started(world_.now(), *this); });
  if (websocket) pipes().listen();
  tell_network(machine_.now());
  configure();
}

void Host::kill() {
  if (!running()) return;
  machine_.kill(*this);
  if (pipes_) pipes_->abort_all();
  pipes_.reset();
  node_.reset();
  states_.clear();
  lookups_.clear();
  further_.clear();
  world_.tell([&](Checker& c) { c.died(world_.now(), *this); });
}

void Host::configure() {
  node_->configure(machine_.now(), membership);
  node_->configure(machine_.now(), nat);
  drain();
  machine_.rearm(*this);
}

void Host::shutdown() {
  node_->shutdown(machine_.now());
  drain();
  machine_.rearm(*this);
}

void Host::pretend(event::Interfaces interfaces) {
  node_->handle_interfaces(machine_.now(), std::move(interfaces));
  drain();
  machine_.rearm(*this);
}

event::Ticket Host::command(event::Command command) {
  const event::Ticket ticket{next_ticket_++};
  world_.tell([&](Checker& c) { c.commanded(world_.now(), *this, ticket, command); });
  node_->handle_command(machine_.now(), ticket, command);
  drain();
  machine_.rearm(*this);
  return ticket;
}

// ---- input

void Host::handle_arrival(Instant now, const net::Arrival& arrival) {
  PathAddress from = arrival.path;
  for (const auto& [via, bound] : further_)
    if (bound.port == arrival.port && (bound.ip.is_unspecified() || bound.ip == arrival.path.local)) from.via = via;
  node_->handle_datagram(now, arrival.received_at, from, arrival.bytes);
  drain();
}

void Host::handle_timeout(Instant now) {
  for (auto due = std::ranges::find_if(lookups_, [now](const Lookup& l) { return l.due <= now; });
       due != lookups_.end(); due = std::ranges::find_if(lookups_, [now](const Lookup& l) { return l.due <= now; })) {
    const Lookup lookup = std::move(*due);
    lookups_.erase(due);
    const auto found = world_.names.known.find(lookup.name);
    Result<std::vector<IpAddress>> answer = fail("no such host");
    if (lookup.refused)
      answer = fail("no name server answers");
    else if (found != world_.names.known.end())
      answer = found->second;
    node_->handle_resolved(now, lookup.id, answer);
    drain();
  }
  if (pipes_ && pipes_->poll_timeout() <= now) {
    pipes_->handle_timeout(now);
    drain();
  }
  if (node_->poll_timeout() > now) return;
  node_->handle_timeout(now);
  drain();
}

void Host::handle_gap(Instant now, Duration by) {
  node_->handle_clock_jump(now, by);
  drain();
}

void Host::handle_network_change(Instant now) {
  tell_network(now);
  drain();
}

void Host::tell_network(Instant now) {
  event::Interfaces all;
  for (const net::Interface* i : machine_.interfaces())
    if (i->enabled)
      for (const IpAddress& ip : i->addresses) all.push_back({i->label, ip});
  node_->handle_interfaces(now, std::move(all));
  const auto way_out = [this](const std::optional<IpAddress>& to) {
    const auto own = to ? machine_.source_for(*to) : std::nullopt;
    return own ? std::optional{event::Gateway{*to, *own}} : std::nullopt;
  };
  node_->handle_gateway(now, way_out(gateway));
  node_->handle_gateway_v6(now, way_out(gateway_v6));
}

Instant Host::next_lookup() const {
  const auto next = std::ranges::min_element(lookups_, {}, &Lookup::due);
  return next == lookups_.end() ? kNever : next->due;
}

Instant Host::poll_timeout() const {
  if (!node_) return kNever;
  const Instant next = earlier(node_->poll_timeout(), next_lookup());
  return pipes_ ? earlier(next, pipes_->poll_timeout()) : next;
}

// ---- output

void Host::drain() {
  for (bool again = true; again;) {
    again = false;
    while (auto t = node_->poll_transmit()) transmit(*t);
    while (auto r = node_->poll_event()) record(std::move(*r));
    while (auto reply = node_->poll_reply()) {
      world_.tell([&](Checker& c) { c.answered(world_.now(), *this, reply->ticket, reply->answer); });
      answered_twice |= !answers.insert_or_assign(reply->ticket, reply->answer).second;
    }
    while (auto request = node_->poll_request()) {
      std::visit([this](const auto& asked) { serve(asked); }, *request);
      again = true;
    }
  }
}

void Host::transmit(const Transmit& t) {
  const bool piped = pipes_ && pipes_->has(t.path.via);
  const auto port = port_of(t.path.via);
  if (!port && !piped) return;
  const std::size_t segment = t.segment_size == 0 ? t.bytes.size() : t.segment_size;
  for (std::size_t at = 0; at < t.bytes.size(); at += segment) {
    const ByteView packet = ByteView{t.bytes}.subspan(at, std::min(segment, t.bytes.size() - at));
    if (port)
      machine_.send(*port, t.path, packet, t.ttl == 0 ? net::kDefaultTtl : t.ttl);
    else if (!pipes_->send(t.path.via, packet))
      node_->handle_event(machine_.now(), event::QueueDropped{event::Queue::pipes, 1});
  }
}

void Host::record(event::Record record) {
  record.at = machine_.to_net(record.at);
  if (const auto* changed = std::get_if<event::StateChanged>(&record.event)) states_[changed->peer] = changed->to;
  world_.tell([&](Checker& c) { c.recorded(record.at, *this, record); });
  if (keep_events) events.push_back(std::move(record));
}

void Host::serve(const event::Resolve& request) {
  const Names& names = world_.names;
  lookups_.push_back({machine_.now() + (names.up ? names.takes : names.gives_up), request.id, request.host, !names.up});
}

void Host::serve(const event::OpenSocket& request) {
  // A machine's sockets are bound to all of its addresses: those of one port share one.
  const bool shared = request.at && is_open(request.at->port);
  const auto port = shared ? std::optional{request.at->port} : machine_.open(*this, request.at ? request.at->port : 0);
  const Result<SocketAddress> bound =
      port ? Result<SocketAddress>{{request.at ? request.at->ip : IpAddress::any(request.family), *port}}
           : Result<SocketAddress>{fail("no port is free")};
  if (bound) further_.emplace(request.via, *bound);
  node_->handle_socket(machine_.now(), request.via, bound);
}

bool Host::is_open(std::uint16_t port) const {
  return port == kPort || std::ranges::any_of(further_, [port](const auto& f) { return f.second.port == port; });
}

void Host::serve(const event::CloseSocket& request) {
  const auto found = further_.find(request.via);
  if (found == further_.end()) return;
  const std::uint16_t port = found->second.port;
  further_.erase(found);
  if (!is_open(port)) machine_.close(port);
}

/// UPnP IGD of the nearest router: HTTP to the daemon, a call here.
void Host::serve(const event::MapPort& request) {
  event::PortMapped done{request.id, nat::kUpnpNoGateway, {}, {}};
  const auto routers = world_.routers_of(*this);
  if (!routers.empty()) {
    net::PortMapper& mapper = routers.front()->port_mapper();
    net::NatBox* const box = routers.front()->nat();
    const Status made = mapper.add_mapping(world_.now(), request.own.ip, request.own.port, request.outer_port,
                                           net::Protocol::udp, request.lifetime, box);
    if (made)
      done = {request.id, 0, {mapper.external_address(box).value(), request.outer_port}, request.lifetime};
    else if (const int code = std::atoi(made.error().detail.c_str()))
      done.code = code;  // of "718 ConflictInMappingEntry"; who does not speak it says no number
  }
  node_->handle_port_mapped(machine_.now(), done);
}

void Host::serve(const event::UnmapPort& request) {
  const auto routers = world_.routers_of(*this);
  if (routers.empty()) return;
  // One that is gone already is what was asked for.
  static_cast<void>(routers.front()->port_mapper().delete_mapping(world_.now(), request.outer_port, net::Protocol::udp,
                                                                  routers.front()->nat()));
}

// ---- pipes

/// Each instance's own, as the kernel keeps them for a process.
Pipes& Host::pipes() {
  if (!pipes_)
    pipes_ = std::make_unique<Pipes>(
        machine_, static_cast<PipeOwner&>(*this), world_.net.rng_for("pipes " + std::to_string(index_) + '.' + std::to_string(generation_)));
  return *pipes_;
}

void Host::serve(const event::OpenPipe& request) {
  std::optional<SocketAddress> to;
  Instant at = machine_.now();
  if (const auto ip = IpAddress::parse(request.to.host)) {
    to = SocketAddress{*ip, request.to.port};
  } else {
    at += world_.names.up ? world_.names.takes : world_.names.gives_up;
    const auto known = world_.names.known.find(request.to.host);
    if (world_.names.up && known != world_.names.known.end()) to = SocketAddress{known->second.front(), request.to.port};
  }
  pipes().open(at, request.via, to);
}

void Host::serve(const event::ClosePipe& request) { pipes().close(request.via); }

Via Host::pipe_accepted(Instant now, const SocketAddress& from) { return node_->handle_pipe_accepted(now, from); }

void Host::pipe_opened(Instant now, Via via, const Result<SocketAddress>& opened) {
  node_->handle_pipe(now, via, opened);
  drain();
  machine_.rearm(*this);
}

void Host::pipe_closed(Instant now, Via via) {
  node_->handle_pipe_closed(now, via);
  drain();
  machine_.rearm(*this);
}

void Host::pipe_read(Instant now, const PathAddress& from, ByteView packet) {
  node_->handle_datagram(now, now, from, packet);
  drain();
  machine_.rearm(*this);
}

std::optional<std::uint16_t> Host::port_of(Via via) const {
  if (via == Via::own) return kPort;
  const auto port = further_.find(via);
  return port == further_.end() ? std::nullopt : std::optional{port->second.port};
}

// ---- what was seen

std::size_t Host::unanswered() const {
  std::size_t n = 0;
  for (std::uint64_t t = first_ticket_; t < next_ticket_; ++t) n += !answers.contains(event::Ticket{t});
  return n;
}

event::PeerSnapshot Host::peer(const Host& other) const {
  for (auto& p : snapshot().peers)
    if (p.id == other.id()) return p;
  return {};
}

event::SessionState Host::state(const Host& other) const {
  const auto found = states_.find(other.id());
  return found == states_.end() ? event::SessionState::disconnected : found->second;
}

}  // namespace pw::sim
