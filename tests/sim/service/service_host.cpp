#include "sim/service/service_host.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::sim {
namespace {

quic::Identity identity_of(std::uint8_t key) {
  quic::Identity::Seed seed{};
  seed.fill(key);
  return quic::Identity::from_seed(seed).value();
}

}  // namespace

ServiceHost::ServiceHost(net::Machine& m, std::uint8_t key) : machine{m}, identity{identity_of(key)}, seed_{key} {}

ServiceHost::~ServiceHost() { kill(); }

SocketAddress ServiceHost::address() const {
  return {*machine.interfaces().front()->address(Family::v4), kPort};
}

void ServiceHost::start(const service::ServerOptions& options, service::Admission admission) {
  PW_CHECK(machine.open(*this, kPort));
  quic::Options quic_options;
  quic_options.static_secret[0] = static_cast<std::uint8_t>(seed_);
  endpoint = std::make_unique<quic::Endpoint>(quic_options, identity, Rng{seed_ + 1000 * ++generation_});
  server = std::make_unique<service::Server>(options, *endpoint, id(), Rng{seed_ + 1000 * generation_ + 300});
  server->configure(machine.now(), std::move(admission));
}

void ServiceHost::kill() {
  if (!endpoint) return;
  machine.kill(*this);
  clients.clear();
  set.reset();
  server.reset();
  endpoint.reset();
}

service::Client& ServiceHost::add_client(const ServiceHost& to, wire::service::Services services,
                                         service::Credentials credentials) {
  return add_client(to.id(), path_to(to), services, std::move(credentials));
}

service::Client& ServiceHost::add_client(const PeerId& server_id, const PathAddress& at, wire::service::Services services,
                                         service::Credentials credentials) {
  auto& client = *clients.emplace_back(std::make_unique<service::Client>(
      client_options, *endpoint, id(), service::ServerSpec{server_id, services}, std::move(credentials),
      Rng{seed_ + 1000 * generation_ + 500 + clients.size()}, next_via_));
  act([&](Instant now) { client.set_addresses(now, {at}); });
  return client;
}

void ServiceHost::start_set(const std::vector<const ServiceHost*>& servers, wire::service::Services services) {
  set = std::make_unique<service::Clients>(client_options, *endpoint, identity, Rng{seed_ + 1000 * generation_ + 400},
                                           next_via_, 1000 * generation_);
  act([&](Instant now) {
    std::vector<service::ServerSpec> specs;
    for (const ServiceHost* s : servers) specs.push_back({s->id(), services});
    set->configure(now, specs, {});
    for (const ServiceHost* s : servers) set->set_addresses(now, s->id(), {path_to(*s)});
  });
}

wire::PeerRecord ServiceHost::record(std::uint32_t lifetime_s) {
  wire::PeerRecord r;
  r.id = id();
  r.sequence = ++sequence_;
  r.lifetime_s = lifetime_s;
  r.signature = identity.sign(wire::signed_part(r));
  return r;
}

void ServiceHost::handle_arrival(Instant now, const net::Arrival& arrival) {
  ++arrivals;
  endpoint->handle_datagram(now, arrival.received_at, arrival.path, arrival.bytes);
  drain();
}

void ServiceHost::handle_timeout(Instant now) {
  if (endpoint->poll_timeout() <= now) endpoint->handle_timeout(now);
  if (server->poll_timeout() <= now) server->handle_timeout(now);
  for (const auto& c : clients)
    if (c->poll_timeout() <= now) c->handle_timeout(now);
  if (set && set->poll_timeout() <= now) set->handle_timeout(now);
  drain();
}

Instant ServiceHost::poll_timeout() const {
  if (!endpoint) return kNever;
  Instant next = earlier(endpoint->poll_timeout(), server->poll_timeout());
  for (const auto& c : clients) next = earlier(next, c->poll_timeout());
  if (set) next = earlier(next, set->poll_timeout());
  return next;
}

bool ServiceHost::take_events() {
  const Instant now = machine.now();
  bool any = false;
  while (auto event = endpoint->poll_event()) {
    any = true;
    if (const auto* data = std::get_if<quic::StreamData>(&*event)) streams[data->connection] = data->stream;
    if (server->handle(now, *event)) continue;
    if (std::ranges::any_of(clients, [&](const auto& c) { return c->handle(now, *event); })) continue;
    if (set && set->handle(now, *event)) continue;
    if (const auto* up = std::get_if<quic::Established>(&*event)) peers.push_back(*up);
    if (const auto* data = std::get_if<quic::StreamData>(&*event)) hear(*data);
    if (const auto* datagram = std::get_if<quic::DatagramReceived>(&*event)) datagrams.push_back(*datagram);
    if (const auto* end = std::get_if<quic::Closed>(&*event)) closed.push_back(*end);
  }
  while (endpoint->poll_rejected()) any = true;
  for (const auto& c : clients)
    while (auto event = c->poll_event()) any = take(std::move(*event));
  while (auto event = set ? set->poll_event() : std::nullopt) any = take(std::move(*event));
  return any;
}

void ServiceHost::hear(const quic::StreamData& data) {
  said[data.connection].feed(data.bytes);
  while (const auto message = said[data.connection].next())
    if (const auto* welcome = *message ? std::get_if<wire::service::Welcome>(&**message) : nullptr)
      challenges[data.connection] = welcome->challenge;
}

bool ServiceHost::take(service::ClientEvent event) {
  if (const auto* packet = std::get_if<service::Arrived>(&event)) {
    ++packets[packet->from.via];
    packet_bytes[packet->from.via] += packet->bytes.size();
    if (!keep_packets) endpoint->handle_datagram(machine.now(), packet->received_at, packet->from, packet->bytes);
  } else {
    events.push_back(std::move(event));
  }
  return true;
}

bool ServiceHost::transmit() {
  bool through_channel = false;
  while (auto t = endpoint->poll_transmit()) {
    const std::size_t step = t->segment_size == 0 ? t->bytes.size() : t->segment_size;
    for (std::size_t at = 0; at < t->bytes.size(); at += step) {
      const ByteView packet = ByteView{t->bytes}.subspan(at, std::min(step, t->bytes.size() - at));
      if (t->path.via == Via::own) {
        if (diverts && diverts(packet)) continue;
        machine.send(kPort, t->path, packet);
        continue;
      }
      sent_through_channels.push_back(packet.size());
      for (const auto& c : clients) through_channel |= c->send(t->path.via, packet);
      if (set) through_channel |= set->send(t->path.via, packet);
    }
  }
  return through_channel;
}

void ServiceHost::drain() {
  do {
    while (take_events()) continue;
    server->forward(machine.now());
    endpoint->flush(machine.now());
  } while (transmit());
}

}  // namespace pw::sim
