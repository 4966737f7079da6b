#include "peer/measurements.hpp"

#include <algorithm>

namespace pw::peer {

using event::Direction;
using event::PathHealth;
using event::ProbeDirection;

namespace {

constexpr Duration kLatencyInterval = 10s;  // of PathLatency events
constexpr Duration kEchoStreamWait = 20ms;  // the dialler opens the echo stream; until then the acceptor can't ask
constexpr Duration kRateNeeds = 1s;         // no rate is told from a shorter time
constexpr Duration kRateWindow = 60s;

std::size_t index(Direction d) { return static_cast<std::size_t>(d); }
std::size_t index(ProbeDirection d) { return static_cast<std::size_t>(d); }

}  // namespace

Measurements::Measurements(Context& context, const PeerId& peer, const Link& link, Instant now)
    : context_{context},
      peer_{peer},
      handle_{link.handle()},
      path_{link.path()},
      kind_{kind_of(link.path())},
      since_{now},
      datagrams_{now},
      // The first of each at once, so that numbers are there; the second at a random phase, so that peers spread.
      echo_{context.membership.probe.rtt_interval, now, context.rng.up_to(context.membership.probe.rtt_interval)},
      liveness_{context.membership.probe.datagram_interval, now,
                context.rng.up_to(context.membership.probe.datagram_interval)},
      next_latency_{now + context.rng.up_to(kLatencyInterval)} {}

void Measurements::set_intervals(const probe::Options& options) {
  echo_.set_interval(options.rtt_interval);
  liveness_.set_interval(options.datagram_interval);
}

void Measurements::send_probe(Instant now) {
  // What was never sent is not expected: a probe that QUIC can't take (its queue is full) is tried again at the next
  // turn.
  const wire::ProbeFrame frame = datagrams_.probe(now);
  if (!context_.endpoint.write_datagram(handle_, wire::encode(frame), true)) datagrams_.take_back(frame.sequence);
  liveness_.sent(now, probe::Liveness::timeout_of(path_rtt_.smoothed(), path_rtt_.variation()));
}

void Measurements::handle_timeout(Instant now, Link& link) {
  const PathHealth before = liveness_.health();
  if (liveness_.expire(now)) health_changed(now, before);
  if (liveness_.next_probe() <= now) send_probe(now);
  if (!link.has_echo())
    echo_.postpone(now + kEchoStreamWait);
  else if (auto request = echo_.poll(now))
    link.send(*request);
  for (event::Ticket ticket : echo_.expire(now))
    context_.out.fail(ticket, event::CommandError::timeout, "no answer within 10 s");
  if (now >= next_latency_) {
    next_latency_ = now + kLatencyInterval;
    if (const auto rtt = path_rtt_.smoothed(); rtt && liveness_.health() == PathHealth::proved)
      context_.out.emit(now, event::PathLatency{peer_, kind_, *rtt});
  }
}

void Measurements::handle_datagram(Instant now, const quic::DatagramReceived& datagram) {
  const auto frame = wire::decode_probe(datagram.bytes);
  if (!frame) return;
  if (const auto* probe = std::get_if<wire::ProbeFrame>(&*frame)) {
    if (auto receipt = datagrams_.handle_probe(now, datagram.received_at, *probe))
      context_.endpoint.write_datagram(handle_, wire::encode(*receipt), true);
    // A probe that is due soon rides in the receipt's packet: the two ends fall into step, and a round of probes both
    // ways costs four packets instead of six.
    if (liveness_.due_within(now, context_.membership.probe.datagram_interval / 2)) send_probe(now);
    return;
  }
  const auto& receipt = std::get<wire::ReceiptFrame>(*frame);
  const auto outcome = datagrams_.handle_receipt(datagram.received_at, receipt, context_.starvation);
  if (outcome.rtt) {
    if (!outcome.rtt_suspect) path_rtt_.add(*outcome.rtt);
    context_.out.emit(now, event::ProbeMeasured{peer_, kind_, *outcome.rtt, outcome.rtt_suspect});
  }
  account(now, ProbeDirection::forward, outcome.forward_expected, outcome.forward_lost, outcome.suspect);
  account(now, ProbeDirection::back, outcome.return_expected, outcome.return_lost, 0);
  const PathHealth before = liveness_.health();
  if (outcome.proof && liveness_.proof(now)) health_changed(now, before);
}

/// What congestion control did to a probe is no property of the path: its time begins when it leaves, and one that never
/// left was not lost. A receipt tells of its wait itself.
void Measurements::handle_held(const quic::DatagramHeld& datagram) {
  const auto frame = wire::decode_probe(datagram.bytes);
  const auto* probe = frame ? std::get_if<wire::ProbeFrame>(&*frame) : nullptr;
  if (!probe) return;
  if (datagram.held)
    datagrams_.left_later(probe->sequence, *datagram.held);
  else
    datagrams_.take_back(probe->sequence);
}

void Measurements::account(Instant now, ProbeDirection direction, std::uint32_t expected, std::uint32_t lost,
                           std::uint32_t suspect) {
  if (expected == 0 && suspect == 0) return;
  losses_[index(direction)].add(now, {expected, lost});
  context_.out.emit(now, event::ProbesAccounted{peer_, direction, expected, lost, suspect});
}

void Measurements::health_changed(Instant now, PathHealth from) {
  const PathHealth to = liveness_.health();
  const Duration silence = now - last_proof().value_or(since_);
  context_.out.emit(now, event::PathHealthChanged{peer_, kind_, path_.remote, from, to, silence});
  if (to == PathHealth::dead) {
    dead_since_ = now;
    context_.out.emit(now, event::PathChanged{peer_, kind_, event::PathKind::none, event::PathChangeReason::path_lost});
  } else if (from == PathHealth::dead) {
    dead_since_.reset();
    context_.out.emit(now, event::PathChanged{peer_, event::PathKind::none, kind_, event::PathChangeReason::upgraded});
  }
}

void Measurements::handle_echo(Instant now, Instant received_at, const wire::EchoFrame& frame, Link& link) {
  if (!frame.reply) {
    link.send(wire::EchoFrame{true, frame.sequence, frame.padding});
    if (auto request = echo_.poll_early(now)) link.send(*request);  // in the same packet, as with probes
    return;
  }
  const auto sample = echo_.handle_reply(received_at, frame.sequence, context_.starvation);
  if (!sample) return;
  if (!sample->suspect) echo_rtt_.add(sample->rtt);
  context_.out.emit(now, event::EchoMeasured{peer_, kind_, sample->rtt, sample->suspect});
  if (sample->ticket) context_.out.reply(*sample->ticket, event::PingAnswer{sample->rtt, kind_, sample->suspect});
}

void Measurements::count(Instant now, Direction direction, std::size_t bytes) {
  bytes_[index(direction)].add(now, bytes);
}

void Measurements::ping(Instant now, event::Ticket ticket, std::uint32_t size, Link& link) {
  if (size > wire::kMaxEchoPadding) {
    context_.out.fail(ticket, event::CommandError::invalid,
                      "a ping has at most " + std::to_string(wire::kMaxEchoPadding) + " bytes");
  } else if (!link.has_echo()) {
    context_.out.fail(ticket, event::CommandError::not_connected,
                      "the session came up this moment and its echo stream is not there yet; try again");
  } else if (auto request = echo_.ping(now, ticket, static_cast<std::uint16_t>(size)); !request) {
    context_.out.fail(ticket, event::CommandError::busy, "too many pings are under way to this peer");
  } else if (!link.send(*request)) {
    for (event::Ticket t : echo_.abandon()) context_.out.fail(t, event::CommandError::lost, "the echo stream is stuck");
  }
}

void Measurements::abandon() {
  for (event::Ticket ticket : echo_.abandon())
    context_.out.fail(ticket, event::CommandError::lost, "the session ended meanwhile");
}

Instant Measurements::next_timeout() const {
  return earlier(earlier(liveness_.next_timeout(), echo_.next_timeout()), next_latency_);
}

std::optional<double> Measurements::rate(Instant now, Direction direction) const {
  const Duration covered = std::min(now - since_, kRateWindow);
  if (covered < kRateNeeds) return std::nullopt;
  return static_cast<double>(bytes_[index(direction)].sum(now)) / to_seconds(covered);
}

void Measurements::fill(Instant now, event::PeerSnapshot& s, const quic::Stats& stats) const {
  event::PathSnapshot path;
  path.kind = kind_;
  path.address = path_;
  path.health = liveness_.health();
  path.in_use = path.health != PathHealth::dead;
  path.rtt = path_rtt_.smoothed();
  path.rtt_min = path_rtt_.min();
  path.since = since_;
  path.last_proof = last_proof().value_or(since_);
  s.path = path.in_use ? kind_ : event::PathKind::none;
  s.paths.push_back(path);
  s.echo_rtt = echo_rtt_.latest();
  s.echo_rtt_smoothed = echo_rtt_.smoothed();
  s.jitter = datagrams_.jitter().value();
  const Losses forward = losses_[index(ProbeDirection::forward)].sum(now);
  const Losses back = losses_[index(ProbeDirection::back)].sum(now);
  s.loss_forward = {forward.expected, forward.lost};
  s.loss_return = {back.expected, back.lost};
  s.bandwidth_inbound = rate(now, Direction::inbound);
  s.bandwidth_outbound = rate(now, Direction::outbound);
  s.cwnd = stats.cwnd;
  s.bytes_in_flight = stats.bytes_in_flight;
}

}  // namespace pw::peer
