#include "mesh/node.hpp"

#include <utility>

#include "mesh/port_keeper.hpp"
#include "peer/table.hpp"
#include "wire/demux.hpp"
#include "wire/stun.hpp"

namespace pw::mesh {
namespace {

/// Of QUIC's packets: more than acknowledgements and echoes, so that somebody waits for what is in them.
constexpr std::size_t kTraffic = 200;

event::InstanceId draw_instance(Rng& rng) {
  event::InstanceId id{};
  rng.fill(id);
  return id;
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
        surroundings{context, options.listening, rng.split(), next_via},
        ports{out, port_of(options.listening, Family::v4), rng.split(), next_via},
        started{now} {
    out.emit(now, event::NodeStarted{context.self, context.instance});
  }

  void pump(Instant now) {
    for (;;) {
      while (auto e = endpoint.poll_event()) table.handle(now, *e);
      endpoint.flush(now);
      if (auto e = endpoint.poll_event()) {
        table.handle(now, *e);
        continue;
      }
      break;
    }
    while (auto rejected = endpoint.poll_rejected())
      out.emit(now, event::PacketRejected{rejected->reason, rejected->from});
    if (const auto dropped = endpoint.take_dropped_datagrams())
      out.emit(now, event::QueueDropped{event::Queue::datagrams, dropped});
    last = now;
  }

  void stun(Instant now, Instant received_at, const PathAddress& from, ByteView bytes) {
    const auto decoded = wire::stun::decode(bytes);
    const auto answers = [&] { return surroundings.handle_stun(now, received_at, from, decoded->message); };
    const auto checks = [&] { return table.handle_check(now, {received_at, from, bytes, *decoded}); };
    if (decoded && (surroundings.owns(from.via) ? answers() : checks() || answers())) return;
    reject(now, event::RejectReason::stun, from.remote);
  }

  void reject(Instant now, event::RejectReason reason, const SocketAddress& from) {
    out.emit(now, event::PacketRejected{reason, from});
  }

  /// A packet that waited, or a timer that is overdue while packets are read first: what else came waits unread.
  void judge_lateness(Instant now, Instant received_at) {
    late(now, now - received_at);
    if (const Instant due = next(); due < now) late(now, now - std::max(due, last));
  }

  void late(Instant now, Duration lag) {
    if (lag < probe::Starvation::kThreshold) return;
    context.starvation.mark(now);
    // Once a threshold's time: a flood that delays every packet must not also cost a turn over all sessions for each.
    if (last_late && now - *last_late < probe::Starvation::kThreshold) return;
    last_late = now;
    out.emit(now, event::NodeLate{lag});
    table.node_was_late(now, false);
  }

  Instant next() const {
    return earlier(earlier(endpoint.poll_timeout(), table.next_timeout()),
                   earlier(surroundings.poll_timeout(), ports.poll_timeout()));
  }

  Options options;
  peer::Outbox out;
  quic::Endpoint endpoint;
  peer::Context context;
  peer::Table table{context};
  std::uint32_t next_via = 1;  // of everything that the core opens and names; 0 is Via::own
  Surroundings surroundings;
  PortKeeper ports;
  Instant started;
  Instant last{};
  std::optional<Instant> last_late;
};

Node::Node(Instant now, Options options, const quic::Identity& identity, Rng rng)
    : impl_{std::make_unique<Impl>(now, std::move(options), identity, std::move(rng))} {}
Node::~Node() = default;

void Node::handle_datagram(Instant now, Instant received_at, const PathAddress& from, ByteView bytes) {
  Impl& n = *impl_;
  if (n.ports.owns(from.via)) {
    n.ports.handle_datagram(now, from, bytes);
    return n.pump(now);
  }
  switch (wire::classify(bytes)) {
    case wire::DatagramKind::empty:
      return n.reject(now, event::RejectReason::empty, from.remote);
    case wire::DatagramKind::oversized:
      return n.reject(now, event::RejectReason::oversized, from.remote);
    case wire::DatagramKind::unknown:
      return n.reject(now, event::RejectReason::unknown_protocol, from.remote);
    case wire::DatagramKind::stun:
      n.judge_lateness(now, received_at);
      n.stun(now, received_at, from, bytes);
      return n.pump(now);
    case wire::DatagramKind::quic:
      break;
  }
  n.judge_lateness(now, received_at);
  if (n.surroundings.owns(from.via)) return n.reject(now, event::RejectReason::unknown_connection, from.remote);
  if (const auto connection = n.endpoint.handle_datagram(now, received_at, from, bytes))
    n.table.count(now, *connection, event::Direction::inbound, from, peer::Carried::quic, bytes.size(), 1);
  n.pump(now);
}

void Node::handle_timeout(Instant now) {
  Impl& n = *impl_;
  if (const Instant due = n.next(); due < now) n.late(now, now - std::max(due, n.last));
  n.endpoint.handle_timeout(now);
  n.table.handle_timeout(now);
  n.surroundings.handle_timeout(now);
  n.ports.handle_timeout(now);
  n.pump(now);
}

void Node::handle_command(Instant now, event::Ticket ticket, const event::Command& command) {
  impl_->table.handle_command(now, ticket, command);
  impl_->pump(now);
}

void Node::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  if (!impl_->surroundings.handle_resolved(now, id, addresses)) impl_->table.handle_resolved(now, id, addresses);
  impl_->pump(now);
}

void Node::handle_interfaces(Instant now, event::Interfaces interfaces) {
  Impl& n = *impl_;
  if (n.surroundings.handle_interfaces(now, std::move(interfaces)))
    n.table.network_changed(now, n.surroundings.addresses());
  n.pump(now);
}

void Node::handle_gateway(Instant now, const std::optional<event::Gateway>& gateway) {
  impl_->ports.handle_gateway(now, gateway);
  impl_->pump(now);
}

void Node::handle_port_mapped(Instant now, const event::PortMapped& result) {
  impl_->ports.handle_port_mapped(now, result);
  impl_->pump(now);
}

void Node::handle_clock_jump(Instant now, Duration by) {
  impl_->out.emit(now, event::ClockJumped{by});
  impl_->table.node_was_late(now, true);
  impl_->ports.check(now);
  impl_->pump(now);
}

void Node::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  // Who asked for it may have lost interest meanwhile.
  if (!impl_->surroundings.handle_socket(now, via, bound) && !impl_->ports.handle_socket(now, via, bound) && bound)
    impl_->out.requests.emplace_back(event::CloseSocket{via});
  impl_->pump(now);
}

void Node::handle_event(Instant now, event::Event event) { impl_->out.emit(now, std::move(event)); }

void Node::configure(Instant now, const peer::Membership& membership) {
  impl_->table.configure(now, membership);
  impl_->pump(now);
}

void Node::configure(Instant now, const NatTerms& terms) {
  impl_->surroundings.configure(now, terms);
  if (!impl_->context.stopping) impl_->ports.configure(now, terms.enabled && terms.map_port);
  impl_->pump(now);
}

void Node::shutdown(Instant now) {
  if (impl_->context.stopping) return;
  impl_->out.emit(now, event::NodeStopping{});
  impl_->surroundings.stop();
  impl_->ports.release(now);
  impl_->table.shutdown(now);
  impl_->pump(now);
}

std::optional<Transmit> Node::poll_transmit() {
  Impl& n = *impl_;
  if (auto out = n.endpoint.poll_transmit()) {
    const std::size_t size = out->bytes.size();
    const std::size_t packets = out->segment_size == 0 ? 1 : (size + out->segment_size - 1) / out->segment_size;
    if (out->connection) {
      n.table.count(n.last, *out->connection, event::Direction::outbound, out->path, peer::Carried::quic, size,
                    packets);
      if (size >= kTraffic) n.table.traffic_sent(n.last, *out->connection);
    }
    return Transmit{out->path, std::move(out->bytes), out->segment_size};
  }
  auto& checks = n.out.checks;
  if (checks.empty()) {
    auto asked = n.surroundings.poll_transmit();
    return asked ? std::move(asked) : n.ports.poll_transmit();
  }
  peer::CheckOut check = std::move(checks.front());
  checks.pop_front();
  n.table.count(n.last, check.connection, event::Direction::outbound, check.transmit.path, peer::Carried::check,
                check.transmit.bytes.size(), 1);
  return std::move(check.transmit);
}

std::optional<event::Record> Node::poll_event() {
  auto& events = impl_->out.events;
  if (events.empty()) return std::nullopt;
  auto first = std::move(events.front());
  events.pop_front();
  return first;
}

std::optional<event::Request> Node::poll_request() {
  auto& requests = impl_->out.requests;
  if (requests.empty()) return std::nullopt;
  auto first = std::move(requests.front());
  requests.pop_front();
  return first;
}

std::optional<event::Reply> Node::poll_reply() {
  auto& replies = impl_->out.replies;
  if (replies.empty()) return std::nullopt;
  auto first = std::move(replies.front());
  replies.pop_front();
  return first;
}

Instant Node::poll_timeout() const { return impl_->next(); }

bool Node::stopped() const { return impl_->context.stopping && impl_->table.quiet(); }

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
  s.max_sessions = n.context.membership.max_sessions;
  s.reached_once = n.table.reached_once() || n.context.membership.peers.empty();
  s.nat = n.surroundings.snapshot();
  s.nat.mapping = n.ports.snapshot();
  s.peers = n.table.snapshot(now);
  return s;
}

}  // namespace pw::mesh
