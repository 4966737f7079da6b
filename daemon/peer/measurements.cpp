#include "peer/measurements.hpp"

#include <algorithm>

namespace pw::peer {

using event::Direction;
using event::PathHealth;
using event::PathKind;

namespace {

constexpr Duration kLatencyInterval = 10s;  // of PathLatency events
constexpr Duration kEchoStreamWait = 20ms;  // the dialler opens the echo stream; until then the acceptor can't ask
/// A third of QUIC's idle time-out (quic::Options), which nothing else is sure to go through.
constexpr Duration kKeepAlive = 20s;
constexpr Duration kRateNeeds = 1s;         // no rate is told from a shorter time
constexpr Duration kRateWindow = 60s;

std::size_t index(Direction d) { return static_cast<std::size_t>(d); }

path::Options options_of(const probe::Options& options) {
  path::Options o;
  o.interval = options.datagram_interval;
  o.standby_interval = std::max(o.standby_interval, o.interval);
  return o;
}

Duration echo_interval(const probe::Options& options) { return std::min(options.rtt_interval, kKeepAlive); }

}  // namespace

Measurements::Measurements(Context& context, const PeerId& peer, const Link& link, Instant now)
    : context_{context},
      peer_{peer},
      handle_{link.handle()},
      since_{now},
      last_kind_{context_.kind_of(link.path())},
      paths_{link.keys(), options_of(context.membership.probe), context.starvation, context.rng.split()},
      // The first at once, so that a number is there; the second at a random phase, so that peers spread.
      echo_{echo_interval(context.membership.probe), now, context.rng.up_to(echo_interval(context.membership.probe))},
      next_latency_{now + context.rng.up_to(kLatencyInterval)} {
  static_cast<void>(paths_.add(now, link.path(), context_.kind_of(link.path()), true));  // the table is empty: there is room
  while (paths_.poll_event()) {
  }  // the session says itself that it is up, and over what
  drain(now);
}

void Measurements::set_intervals(Instant now, const probe::Options& options) {
  echo_.set_interval(echo_interval(options));
  paths_.set_intervals(now, options_of(options));
  drain(now);
}

// ---- what the paths say

void Measurements::drain(Instant now) {
  while (auto t = paths_.poll_transmit()) context_.out.checks.push_back({handle_, std::move(*t)});
  while (auto e = paths_.poll_event()) std::visit([&](const auto& what) { handle(now, what); }, *e);
}

void Measurements::handle(Instant now, const path::PathProved& e) {
  context_.out.emit(now, event::PathProved{peer_, e.path.kind, e.path.address, e.rtt});
}

void Measurements::handle(Instant now, const path::PathMoved& e) {
  context_.out.emit(now, event::PathMoved{peer_, e.to.kind, e.from.address, e.to.address});
}

void Measurements::handle(Instant now, const path::PathForgotten& e) {
  context_.out.emit(now, event::PathForgotten{peer_, e.path.kind, e.path.address, e.why});
}

void Measurements::handle(Instant now, const path::HealthChanged& e) {
  context_.out.emit(now, event::PathHealthChanged{peer_, e.path.kind, e.path.address, e.from, e.to, e.silence});
  // A restarted peer doesn't know the keys of our checks and is silent, but it answers a packet of QUIC's with a reset.
  // And when the path is back, QUIC sleeps in a time-out that silence has doubled: something new to send wakes it.
  if (in_use(e.path.address) && e.to != PathHealth::dead) echo_.hasten(now, e.from == PathHealth::dead);
  if (e.path.address.relayed() && e.to == PathHealth::suspect)
    context_.out.channel_wishes.emplace_back(DoubtChannel{e.path.address.via});
}

void Measurements::handle(Instant now, const path::SizeJudged& e) {
  context_.out.emit(now, event::PathSizeJudged{peer_, e.path.kind, e.path.address, e.verdict});
}

void Measurements::handle(Instant now, const path::RttSampled& e) {
  context_.out.emit(now, event::ProbeMeasured{peer_, e.path.kind, e.rtt, e.suspect, e.path.address});
}

/// Of probes over paths that packets went out on then: what a standby loses, nobody misses.
void Measurements::handle(Instant now, const path::LossAccounted& e) {
  losses_[static_cast<std::size_t>(e.direction)].add(now, {e.expected, e.lost});
  context_.out.emit(now, event::ProbesAccounted{peer_, e.direction, e.expected, e.lost, e.suspect});
}

void Measurements::handle(Instant now, const path::SendingPathChanged& e) {
  if (e.to.kind == PathKind::none) {
    dead_since_ = now;
  } else {
    dead_since_.reset();
    last_kind_ = e.to.kind;
    echo_.hasten(now, true);
  }
  context_.out.emit(now, event::PathChanged{peer_, e.from.kind, e.to.kind, e.reason, e.to.address});
}

void Measurements::handle(Instant, const path::SendingChanged& e) {
  context_.endpoint.set_paths(handle_, paths_.sending(), e.lost_since);
}

void Measurements::handle(Instant now, const path::FailedOver& e) {
  context_.out.emit(now, event::PathFailedOver{peer_, e.from.kind, e.to.kind, e.took});
}

bool Measurements::in_use(const PathAddress& address) const {
  return std::ranges::find(paths_.sending(), address) != paths_.sending().end();
}

// ---- input

void Measurements::handle_timeout(Instant now, Link& link) {
  paths_.handle_timeout(now);
  drain(now);
  if (!link.has_echo())
    echo_.postpone(now + kEchoStreamWait);
  else if (auto request = echo_.poll(now))
    link.send(*request);
  for (event::Ticket ticket : echo_.expire(now))
    context_.out.fail(ticket, event::CommandError::timeout, "no answer within 10 s");
  if (now < next_latency_) return;
  next_latency_ = now + kLatencyInterval;
  for (const path::Snapshot& s : paths_.snapshot())
    if (s.path.rtt && s.path.health == PathHealth::proved)
      context_.out.emit(now, event::PathLatency{peer_, s.path.kind, *s.path.rtt});
}

void Measurements::handle_check(Instant now, const StunArrival& arrival) {
  const path::Set::Arrived arrived{arrival.at, arrival.from, context_.kind_of(arrival.from), arrival.bytes, arrival.decoded};
  const auto verdict = arrival.decoded.message.kind == wire::stun::Class::request
                           ? paths_.handle_request(now, arrived)
                           : paths_.handle_response(now, arrived);
  if (!verdict) context_.out.emit(now, event::CheckRefused{peer_, verdict.error(), arrival.from.remote});
  drain(now);
}

void Measurements::handle_echo(Instant now, Instant received_at, const wire::EchoFrame& frame, Link& link) {
  if (!frame.reply) {
    link.send(wire::EchoFrame{true, frame.sequence, frame.padding});
    if (auto request = echo_.poll_early(now)) link.send(*request);  // in the same packet
    return;
  }
  const auto sample = echo_.handle_reply(received_at, frame.sequence, context_.starvation);
  if (!sample) return;
  if (!sample->suspect) echo_rtt_.add(sample->rtt);
  context_.out.emit(now, event::EchoMeasured{peer_, last_kind_, sample->rtt, sample->suspect});
  if (sample->ticket) context_.out.reply(*sample->ticket, event::PingAnswer{sample->rtt, last_kind_, sample->suspect});
}

void Measurements::count(Instant now, Direction direction, std::size_t bytes) {
  bytes_[index(direction)].add(now, bytes);
}

void Measurements::traffic_sent(Instant now) {
  paths_.traffic_sent(now);
  // Small checks are answered where large packets alone are lost.
  const quic::Stats stats = context_.endpoint.stats(handle_);
  if (now - stats.waiting_since >= stats.pto) paths_.doubt_full_size(now, stats.waiting_since);
}

void Measurements::probe_now(Instant now) {
  paths_.probe_now(now);
  echo_.hasten(now, true);  // who forgot us meanwhile answers QUIC with a reset, and checks with nothing
  drain(now);
}

void Measurements::network_changed(Instant now, std::span<const IpAddress> own) {
  paths_.network_changed(now, own);
  drain(now);
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

/// Where there is no room, better ones are known.
void Measurements::add_path(Instant now, const PathAddress& address) {
  static_cast<void>(paths_.add(now, address, context_.kind_of(address), false));
  drain(now);
}

/// Whom checks may go to was judged before: what is refused here is not sent, and proves nothing.
void Measurements::check(Instant now, const PathAddress& address, std::uint8_t ttl) {
  static_cast<void>(paths_.check(now, address, context_.kind_of(address), ttl));
  drain(now);
}

void Measurements::rename_path(Instant now, const PathAddress& address) {
  paths_.rename(now, address, context_.kind_of(address));
  drain(now);
}

void Measurements::close_path(Instant now, const PathAddress& address) {
  paths_.close(now, address, event::PathChangeReason::relay_closed);
  drain(now);
}

void Measurements::close_socket(Instant now, Via via) {
  paths_.close_socket(now, via);
  drain(now);
}

void Measurements::abandon() {
  for (event::Ticket ticket : echo_.abandon())
    context_.out.fail(ticket, event::CommandError::lost, "the session ended meanwhile");
}

void Measurements::forget_paths(Instant now) {
  for (const path::Snapshot& s : paths_.snapshot())
    context_.out.emit(now, event::PathForgotten{peer_, s.path.kind, s.path.address, event::PathEnd::closed});
}

void Measurements::introduce_path(Instant now) {
  context_.out.emit(now, event::PathProved{peer_, kind(), address(), {}});
}

// ---- getters

std::optional<event::PathSnapshot> Measurements::direct() const {
  std::optional<path::Snapshot> found;
  for (const path::Snapshot& s : paths_.snapshot())
    if (!s.path.address.relayed() && s.path.health != PathHealth::dead && (!found || found->path.since < s.path.since))
      found = s;
  return found ? std::optional{found->path} : std::nullopt;
}

Duration Measurements::rtt() const {
  for (const path::Snapshot& s : paths_.snapshot())
    if (s.path.in_use && s.path.rtt) return *s.path.rtt;
  return context_.endpoint.stats(handle_).smoothed_rtt;
}

Instant Measurements::next_timeout() const {
  return earlier(earlier(paths_.poll_timeout(), echo_.next_timeout()), next_latency_);
}

std::optional<double> Measurements::rate(Instant now, Direction direction) const {
  const Duration covered = std::min(now - since_, kRateWindow);
  if (covered < kRateNeeds) return std::nullopt;
  return static_cast<double>(bytes_[index(direction)].sum(now)) / to_seconds(covered);
}

void Measurements::fill(Instant now, event::PeerSnapshot& s, const quic::Stats& stats) const {
  const std::vector<path::Snapshot> paths = paths_.snapshot();
  s.path = kind();
  for (const path::Snapshot& p : paths) s.paths.push_back(p.path);
  const auto in_use = std::ranges::find_if(paths, [](const path::Snapshot& p) { return p.path.in_use; });
  // While all are dead: what was last known of the one that was proved last.
  const auto told = in_use != paths.end() ? in_use : std::ranges::max_element(paths, {}, [](const path::Snapshot& p) {
    return p.path.last_proof;
  });
  if (told != paths.end()) s.jitter = told->jitter;
  const Losses forward = losses_[static_cast<std::size_t>(event::ProbeDirection::forward)].sum(now);
  const Losses back = losses_[static_cast<std::size_t>(event::ProbeDirection::back)].sum(now);
  s.loss_forward = {forward.expected, forward.lost};
  s.loss_return = {back.expected, back.lost};
  s.echo_rtt = echo_rtt_.latest();
  s.echo_rtt_smoothed = echo_rtt_.smoothed();
  s.bandwidth_inbound = rate(now, Direction::inbound);
  s.bandwidth_outbound = rate(now, Direction::outbound);
  s.cwnd = stats.cwnd;
  s.bytes_in_flight = stats.bytes_in_flight;
}

}  // namespace pw::peer
