#include "mesh/node.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"
#include "mesh/location.hpp"
#include "mesh/services.hpp"
#include "peer/table.hpp"
#include "wire/demux.hpp"
#include "wire/stun.hpp"

namespace pw::mesh {
namespace {

/// Of QUIC's packets: more than acknowledgements and echoes, so that somebody waits for what is in them.
constexpr std::size_t kTraffic = 200;

/// Packets of QUIC that are read before what follows from them is done, if they came together: then they are acknowledged
/// by one packet, and what a relay forwards to one place leaves in one go. As many as a connection writes at once, which is
/// less than a relay has room for.
constexpr std::size_t kTogether = 10;

event::InstanceId draw_instance(Rng& rng) {
  event::InstanceId id{};
  rng.fill(id);
  return id;
}

/// Who has not the role peer admits and dials nobody. An operator may still connect him.
peer::Membership bystander(peer::Membership membership) {
  membership.peers.clear();
  membership.admission = peer::AdmissionMode::allowlist;
  return membership;
}

}  // namespace

struct Node::Impl {
  Impl(Instant now, Options o, const quic::Identity& identity, Rng rng)
      : options{std::move(o)},
        endpoint{options.quic, identity, rng.split()},
        context{.options = options.peer,
                .membership = {},
                .self = identity.id(),
                .instance = draw_instance(rng),
                .endpoint = endpoint,
                .out = out,
                .rng = rng.split(),
                .starvation = {},
                .bandwidth_quota = probe::BandwidthQuota{0},
                .owners = {},
                .lookups = {},
                .tags = {}},
        services{options.services, endpoint, identity, context, options.listening, rng.split()},
        location{context, options.listening, rng.split()},
        started{now} {
    out.emit(now, event::NodeStarted{context.self, context.instance});
  }

  void pump(Instant now) {
    locate(now);
    do {
      while (turn(now)) continue;
      services.forward(now);
      endpoint.flush(now);
    } while (turn(now));
    while (auto rejected = endpoint.poll_rejected())
      out.emit(now, event::PacketRejected{rejected->reason, rejected->from});
    if (const auto dropped = endpoint.take_dropped_datagrams())
      out.emit(now, event::QueueDropped{event::Queue::datagrams, dropped});
    for (std::size_t i = 0; i < context.denied.size(); ++i)
      if (const auto count = std::exchange(context.denied[i], 0U))
        out.emit(now, event::BudgetDenied{static_cast<event::Budget>(i), count});
    last = now;
    unpumped = 0;
  }

  /// Does what datagrams that were only read so far ask for.
  Impl& caught_up() {
    if (unpumped > 0) pump(last);
    return *this;
  }

  /// Events, and what follows from them. False: there were none.
  bool turn(Instant now) {
    bool any = false;
    for (; auto e = endpoint.poll_event(); any = true)
      if (!services.handle(now, *e)) table.handle(now, *e);
    services.settle(now);
    locate(now);
    for (; auto packet = services.poll_arrived(); any = true)
      datagram(now, packet->received_at, packet->from, packet->bytes);
    for (; auto outcome = services.poll_outcome(); any = true)
      std::visit([&](const auto& o) { tell(now, o); }, *outcome);
    for (; const auto wish = taken(out.channel_wishes); any = true) {
      if (std::holds_alternative<peer::ReleaseChannel>(*wish))
        releases.push_back(*wish);
      else
        services.take(now, *wish);
    }
    return any;
  }

  void locate(Instant now) {
    if (location.update(now, services)) table.whereabouts_changed(now);
  }

  /// Once all is sent: channels and servers are left last, since goodbyes and closes go through them. False: there was
  /// nothing to do.
  bool part(Instant now) {
    const bool leaves = context.stopping && table.quiet() && !left;
    left |= leaves;
    if (releases.empty() && !leaves) return false;
    for (const peer::ChannelWish& release : std::exchange(releases, {})) services.take(now, release);
    if (leaves) services.shutdown(now);
    services.settle(now);
    endpoint.flush(now);
    return true;
  }

  void tell(Instant now, const Rendezvous::Reached& o) { table.handle_channel(now, o.peer, o.via); }
  void tell(Instant now, const Rendezvous::Missed& o) { table.handle_no_channel(now, o.peer, o.answer); }
  void tell(Instant now, const Rendezvous::Lost& o) { table.handle_channel_lost(now, o.peer, o.via); }
  void tell(Instant now, const Rendezvous::Moved& o) { table.handle_channel_moved(now, o.peer, o.via); }
  void tell(Instant now, const Rendezvous::Present& o) { table.handle_present(now, o.peer); }

  /// As it came to a socket of ours, or through a channel.
  void datagram(Instant now, Instant received_at, const PathAddress& from, ByteView bytes) {
    switch (wire::classify(bytes)) {
      case wire::DatagramKind::empty:
        return reject(now, event::RejectReason::empty, from.remote);
      case wire::DatagramKind::oversized:
        return reject(now, event::RejectReason::oversized, from.remote);
      case wire::DatagramKind::unknown:
        return reject(now, event::RejectReason::unknown_protocol, from.remote);
      case wire::DatagramKind::stun:
        return stun(now, received_at, from, bytes);
      case wire::DatagramKind::quic:
        break;
    }
    if (!may_be_ours(from, bytes)) return reject(now, event::RejectReason::unknown_connection, from.remote);
    if (const auto connection = endpoint.handle_datagram(now, received_at, from, bytes))
      table.count(now, *connection, event::Direction::inbound, from, peer::Carried::quic, bytes.size(), 1);
  }

  /// A further socket is for who has a session: handshakes come to our own, and through channels and pipes.
  bool may_be_ours(const PathAddress& from, ByteView packet) const {
    const bool further = from.via != Via::own && !from.relayed() && !services.is_pipe(from.via);
    return !further || (context.sockets.owner(from.via) && !wire::has_long_header(packet));
  }

  void stun(Instant now, Instant received_at, const PathAddress& from, ByteView bytes) {
    const auto decoded = wire::stun::decode(bytes);
    const bool own = !location.owns(from.via);
    if (!decoded) {
      if (own) services.handle_broken_stun();
      return reject(now, event::RejectReason::stun, from.remote);
    }
    if (own && table.handle_check(now, {received_at, from, bytes, *decoded})) return;
    if (table.handle_stun(now, from, decoded->message)) return;
    if (location.handle_stun(now, received_at, from, decoded->message)) return;
    if (auto answer = own ? services.handle_stun(now, from, *decoded, bytes.size()) : std::nullopt)
      answers.push_back(std::move(*answer));
    else
      reject(now, event::RejectReason::stun, from.remote);
  }

  /// Counts what goes out. False: it went through a channel, or there is none any more.
  bool carry(const quic::Transmit& t) {
    const std::size_t size = t.bytes.size();
    const std::size_t step = t.segment_size == 0 ? size : t.segment_size;
    const bool relayed = t.path.relayed();
    if (relayed) {
      bool sent = true;
      for (std::size_t at = 0; at < size; at += step)
        sent &= services.send(t.path.via, ByteView{t.bytes}.subspan(at, std::min(step, size - at)));
      if (!sent) return false;
    }
    if (t.connection) {
      table.count(last, *t.connection, event::Direction::outbound, t.path, peer::Carried::quic, size,
                  (size + step - 1) / step);
      if (size >= kTraffic) table.traffic_sent(last, *t.connection);
    }
    return !relayed;
  }

  bool carry(const peer::CheckOut& check) {
    const Transmit& t = check.transmit;
    const bool relayed = t.path.relayed();
    if (relayed && !services.send(t.path.via, t.bytes)) return false;
    if (!check.connection) return true;
    table.count(last, *check.connection, event::Direction::outbound, t.path, peer::Carried::check, t.bytes.size(), 1);
    return !relayed;
  }

  void reject(Instant now, event::RejectReason reason, const SocketAddress& from) {
    out.emit(now, event::PacketRejected{reason, from});
  }

  void network_changed(Instant now) {
    context.fitness.network_changed(now, location.is_somewhere());
    table.network_changed(now, location.addresses());
    services.network_changed(now);
  }

  /// A packet that waited, or a timer that is overdue while packets are read first: what else came waits unread.
  void judge_lateness(Instant now, Instant received_at) {
    late(now, now - received_at);
    if (const Instant due = next(); due < now) late(now, now - std::max(due, last));
  }

  void late(Instant now, Duration lag) {
    if (lag < probe::Starvation::kThreshold) return;
    context.starvation.mark(now);
    context.fitness.late(now, lag);
    // Once a threshold's time: a flood that delays every packet must not also cost a turn over all sessions for each.
    if (last_late && now - *last_late < probe::Starvation::kThreshold) return;
    last_late = now;
    out.emit(now, event::NodeLate{lag});
    table.node_was_late(now, false);
  }

  Instant next() const {
    return earlier(earlier(endpoint.poll_timeout(), table.next_timeout()),
                   earlier(services.poll_timeout(), location.poll_timeout()));
  }

  Options options;
  peer::Outbox out;
  quic::Endpoint endpoint;
  peer::Context context;
  peer::Table table{context};
  Services services;
  Location location;
  std::deque<Transmit> answers;  // to strangers' STUN
  std::vector<peer::ChannelWish> releases;
  bool left = false;  // the servers
  Instant started;
  Instant last{};
  std::size_t unpumped = 0;  // datagrams, read at `last`
  std::optional<Instant> last_late;
};

Node::Node(Instant now, Options options, const quic::Identity& identity, Rng rng)
    : impl_{std::make_unique<Impl>(now, std::move(options), identity, std::move(rng))} {}
Node::~Node() = default;

void Node::handle_datagram(Instant now, Instant received_at, const PathAddress& from, ByteView bytes) {
  Impl& n = *impl_;
  if (n.location.handle_gateway_datagram(now, from, bytes)) return n.pump(now);
  const auto kind = wire::classify(bytes);
  // A check may be one of a session that the packet before it has made.
  if (kind != wire::DatagramKind::quic) n.caught_up();
  const bool ours = kind == wire::DatagramKind::stun || kind == wire::DatagramKind::quic;
  if (ours) n.judge_lateness(now, received_at);
  n.datagram(now, received_at, from, bytes);
  if (!ours) return;
  n.last = now;
  if (++n.unpumped >= kTogether || kind == wire::DatagramKind::stun) n.pump(now);
}

void Node::handle_timeout(Instant now) {
  Impl& n = impl_->caught_up();
  if (const Instant due = n.next(); due < now) n.late(now, now - std::max(due, n.last));
  n.endpoint.handle_timeout(now);
  n.table.handle_timeout(now);
  n.services.handle_timeout(now);
  n.location.handle_timeout(now);
  n.pump(now);
}

void Node::handle_command(Instant now, event::Ticket ticket, const event::Command& command) {
  impl_->caught_up().table.handle_command(now, ticket, command);
  impl_->pump(now);
}

void Node::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  if (!impl_->caught_up().services.handle_resolved(now, id, addresses) && !impl_->location.handle_resolved(now, id, addresses))
    impl_->table.handle_resolved(now, id, addresses);
  impl_->pump(now);
}

void Node::handle_interfaces(Instant now, event::Interfaces interfaces) {
  Impl& n = impl_->caught_up();
  if (n.location.handle_interfaces(now, std::move(interfaces))) n.network_changed(now);
  n.pump(now);
}

void Node::handle_gateway(Instant now, const std::optional<event::Gateway>& gateway) {
  if (impl_->caught_up().location.handle_gateway(now, gateway)) impl_->network_changed(now);
  impl_->pump(now);
}

void Node::handle_gateway_v6(Instant now, const std::optional<event::Gateway>& gateway) {
  if (impl_->caught_up().location.handle_gateway_v6(now, gateway)) impl_->network_changed(now);
  impl_->pump(now);
}

void Node::handle_port_mapped(Instant now, const event::PortMapped& result) {
  impl_->caught_up().location.handle_port_mapped(now, result);
  impl_->pump(now);
}

void Node::handle_clock_jump(Instant now, Duration by) {
  impl_->caught_up().out.emit(now, event::ClockJumped{by});
  impl_->context.fitness.late(now, by);
  impl_->table.node_was_late(now, true);
  impl_->location.handle_clock_jump(now, by);
  impl_->pump(now);
}

void Node::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  // Who asked for it may have lost interest meanwhile.
  Impl& n = impl_->caught_up();
  const bool wanted = n.table.handle_socket(now, via, bound) || n.location.handle_socket(now, via, bound) ||
                      n.services.handle_socket(now, via, bound);
  if (!wanted && bound) n.out.requests.emplace_back(event::CloseSocket{via});
  n.pump(now);
}

void Node::handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened) {
  Impl& n = impl_->caught_up();
  n.services.handle_pipe(now, via, opened);
  n.pump(now);
}

Via Node::handle_pipe_accepted(Instant now, const SocketAddress& from) {
  return impl_->caught_up().services.handle_pipe_accepted(now, from);
}

void Node::handle_pipe_closed(Instant now, Via via) {
  Impl& n = impl_->caught_up();
  n.services.handle_pipe_closed(now, via);
  n.pump(now);
}

void Node::handle_event(Instant now, event::Event event) { impl_->caught_up().out.emit(now, std::move(event)); }

void Node::configure(Instant now, const peer::Membership& membership) {
  impl_->caught_up().services.configure(now, membership);
  impl_->table.configure(now, impl_->options.services.peer ? membership : bystander(membership));
  impl_->pump(now);
}

void Node::configure(Instant now, const NatTerms& terms) {
  impl_->caught_up().location.configure(now, terms);
  impl_->pump(now);
}

void Node::shutdown(Instant now) {
  if (impl_->caught_up().context.stopping) return;
  impl_->out.emit(now, event::NodeStopping{});
  impl_->location.stop(now);
  impl_->table.shutdown(now);
  impl_->pump(now);
}

/// What goes through a channel becomes packets of a server's connection, which follow.
std::optional<Transmit> Node::poll_transmit() {
  Impl& n = impl_->caught_up();
  for (;;) {
    if (auto sent = n.endpoint.poll_transmit()) {
      if (n.carry(*sent)) return Transmit{sent->path, std::move(sent->bytes), sent->segment_size};
    } else if (auto answer = taken(n.answers)) {
      return answer;
    } else if (auto knock = n.services.poll_transmit()) {
      return knock;
    } else if (auto check = taken(n.out.checks)) {
      if (n.carry(*check)) return std::move(check->transmit);
    } else if (!n.part(n.last)) {
      return n.location.poll_transmit();
    }
  }
}

std::optional<event::Record> Node::poll_event() {
  return taken(impl_->caught_up().out.events);
}

std::optional<event::Request> Node::poll_request() {
  return taken(impl_->caught_up().out.requests);
}

std::optional<event::Reply> Node::poll_reply() {
  return taken(impl_->caught_up().out.replies);
}

Instant Node::poll_timeout() const { return impl_->unpumped > 0 ? impl_->last : impl_->next(); }

bool Node::stopped() const { return impl_->context.stopping && impl_->table.quiet(); }  // servers were told by then

const event::InstanceId& Node::instance() const { return impl_->context.instance; }

event::NodeSnapshot Node::snapshot(Instant now) const {
  const Impl& n = *impl_;
  event::NodeSnapshot s;
  s.at = now;
  s.self = n.context.self;
  s.instance = n.context.instance;
  s.started = n.started;
  s.stopping = n.context.stopping;
  s.connections = n.endpoint.connections();
  s.half_open = n.endpoint.half_open();
  s.further_sockets = n.context.sockets.size();
  s.max_sessions = n.context.membership.max_sessions;
  s.reached_once = n.table.reached_once() || n.services.reached_once() ||
                   (n.context.membership.peers.empty() && !n.services.any_configured());
  s.nat = n.location.snapshot();
  s.peers = n.table.snapshot(now);
  for (event::PeerSnapshot& peer : s.peers)
    for (event::PathSnapshot& path : peer.paths) path.relay = n.services.server_of(path.address.via);
  s.peer_role = n.options.services.peer;
  s.servers = n.services.servers();
  s.serving = n.services.serving();
  return s;
}

}  // namespace pw::mesh
