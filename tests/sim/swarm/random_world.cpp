#include "sim/swarm/random_world.hpp"

#include <algorithm>

namespace pw::sim {
namespace {

constexpr Duration kRecovery = 90s;  // after the last fault: a back-off of a minute, a dial of ten seconds, and room
// A session that only one side still has: its path is dead within ten seconds, and it ends 30 s later.
constexpr Duration kLastDial = 12s;  // that a fault has spoiled, and that a breaker opens by; or that it lets through
constexpr Duration kOneSided = 45s;
constexpr Duration kStopLimit = 2050ms;  // a goodbye waits 2 s at most
constexpr Duration kDrained = 5s;        // what is slowed down and queued most has arrived by then
constexpr std::size_t kOverheard = 64;
constexpr std::uint64_t kBurst = 10;  // pings that fill windows; fewer are one small one
// What wakes a daemon: its packets, and for each session a few timers a second.
constexpr std::uint64_t kTimersAPacket = 4;
constexpr std::uint64_t kTimersASecond = 100;

constexpr Duration kBackToServer = 80s;  // 20 s until a dead server is noticed, a back-off of a minute

const HostPort kNobody{"nobody.example", Host::kPort};

Buffer secret(std::uint64_t epoch) { return Buffer(32, static_cast<std::uint8_t>(1 + epoch)); }

}  // namespace

RandomWorld::RandomWorld(std::uint64_t seed, const RandomWorldOptions& options)
    : world_{seed},
      rng_{world_.net.rng_for("swarm")},
      topology_{world_, options.nodes, rng_},
      nodes_{world_.size()},
      meeting_point_{world_, topology_},
      faults_{world_},
      stop_by_(options.nodes),
      start_at_(options.nodes) {
  if (options.log) {
    *options.log << topology_.to_string();
    auto journal = std::make_unique<Journal>(world_, *options.log, options.log_packets);
    journal_ = static_cast<Journal*>(&world_.add(std::move(journal)));
  }
  if (options.digest) digest_ = static_cast<Digest*>(&world_.add(std::make_unique<Digest>()));
  world_.max_overheard = kOverheard;
  faults_.forgotten = [this](net::Router& router) { topology_.configure(router); };
  chaos_ = options.chaos > Duration{} ? options.chaos : 60s + rng_.up_to(60s);
  secret_ = rng_.chance(0.4);
  meeting_point_.start();
  for (std::size_t i = 0; i < nodes_; ++i) {
    host(i).keep_events = false;
    draw_membership(i, 0.8);
    if (rng_.chance(0.8))
      host(i).start();
    else
      start_at_[i] = world_.now() + rng_.up_to(20s);
  }
}

std::string RandomWorld::run() {
  const Instant begin = world_.now();
  while (world_.now() < begin + chaos_) {
    if (rng_.chance(0.6))
      fault();
    else
      act();
    world_.run_for(rng_.chance(0.5) ? rng_.up_to(300ms) : rng_.up_to(4s));
    start_again();
    meeting_point_.live();
    if (auto wrong = check_stops(); !wrong.empty()) return wrong;
    if (auto wrong = world_.verdict(); !wrong.empty()) return wrong;
  }
  heal();
  world_.run_for(kLastDial);
  const Duration recovery = kRecovery + (meeting_point_.exists() ? kBackToServer : Duration{});
  if (!comes_to_rest(std::max(recovery - kLastDial, left_alone() + kLastDial)))
    return "long after the last fault: " + at_rest();
  note("all is well");
  // What is well stays well, and nobody is left waiting for an answer.
  world_.run_for(20s);
  if (auto wrong = check_answers(); !wrong.empty()) return wrong;
  if (!comes_to_rest(kOneSided)) return "later: " + at_rest();
  if (auto wrong = measure_at_rest(); !wrong.empty()) return wrong;
  const auto seconds = static_cast<std::uint64_t>(to_seconds(world_.now() - begin));
  const auto pairs = world_.size() * world_.size();
  if (world_.timers_fired() > kTimersAPacket * world_.packets_sent() + kTimersASecond * pairs * seconds)
    return "timers spin: " + std::to_string(world_.timers_fired());
  return world_.verdict();
}

void RandomWorld::note(const std::string& text) {
  if (journal_) journal_->note(text);
}

std::pair<std::size_t, std::size_t> RandomWorld::two() {
  const std::size_t a = any();
  return {a, (a + 1 + rng_.below(nodes_ - 1)) % nodes_};
}

// ---- who belongs

void RandomWorld::set_epoch(std::size_t i, std::uint64_t epoch) {
  host(i).membership.secrets = {secret(epoch + 1), secret(epoch)};
}

/// Who this host lists (each with that probability), with all addresses, one, a name or none.
void RandomWorld::draw_membership(std::size_t i, double density) {
  peer::Membership& m = host(i).membership;
  m.admission = secret_ ? peer::AdmissionMode::secret : peer::AdmissionMode::allowlist;
  if (secret_ && m.secrets.empty()) set_epoch(i, 0);
  m.peers.clear();
  m.deny.clear();
  for (std::size_t j = 0; j < nodes_; ++j) {
    if (i == j) continue;
    if (rng_.chance(0.07)) m.deny.push_back(host(j).id());
    if (!rng_.chance(density)) continue;
    event::PeerSpec spec{host(j).id(), host(j).name(), false, topology_.addresses(j)};
    const HostPort name = spec.addresses.back();
    spec.addresses.pop_back();
    const double how = rng_.unit();
    if (how < 0.2)
      spec.addresses = {name};
    else if (how < 0.35)
      spec.addresses = {spec.addresses[rng_.below(spec.addresses.size())]};
    else if (how < 0.5)
      spec.addresses.clear();
    if (rng_.chance(0.1)) spec.addresses.push_back(kNobody);
    m.peers.push_back(std::move(spec));
  }
  m.probe.datagram_interval = rng_.chance(0.15) ? 200ms : 1s;
  m.probe.rtt_interval = rng_.chance(0.2) ? 1s : 5s;
}

// ---- what goes wrong

bool RandomWorld::usable(std::size_t i) const {
  const Host& h = host(i);
  return h.running() && !h.frozen() && !h.machine().asleep() && !stop_by_[i];
}

std::optional<Faults::Plan> RandomWorld::draw_fault() {
  const auto [i, j] = two();
  Faults::Plan plan;
  plan.kind = static_cast<FaultKind>(rng_.below(enum_count<FaultKind>()));
  plan.host = i;
  plan.lasts = rng_.chance(0.75) ? 100ms + rng_.up_to(6s) : rng_.up_to(40s);
  const double strength = rng_.unit();
  const auto between = [strength](double least, double most) { return least + strength * (most - least); };
  if (is_of_a_link(plan.kind) && rng_.chance(0.75)) plan.other = j;
  switch (plan.kind) {
    case FaultKind::crash:
    case FaultKind::stopped:
    case FaultKind::suspended:
    case FaultKind::frozen:
      if (!usable(i) || !faults_.is_free(host(i))) return std::nullopt;
      break;
    case FaultKind::slow:
      plan.amount = between(0.0005, 0.02);
      [[fallthrough]];
    case FaultKind::interface_down:
    case FaultKind::address_change:
      if (!faults_.is_free(host(i))) return std::nullopt;
      break;
    case FaultKind::nat_reboot:
    case FaultKind::nat_addresses:
      if (topology_.nats().empty()) return std::nullopt;
      plan.router = topology_.nats()[rng_.below(topology_.nats().size())];
      if (!faults_.is_free(*plan.router)) return std::nullopt;
      break;
    case FaultKind::large_lost:
      plan.amount = between(200, 1200);
      break;
    case FaultKind::loss:
      plan.amount = between(0.02, 0.4);
      break;
    case FaultKind::bursts:
      plan.amount = between(0.005, 0.1);
      break;
    case FaultKind::delay:
      plan.amount = between(0.01, 0.3);
      break;
    case FaultKind::jitter:
      plan.amount = between(0.005, 0.1);
      break;
    case FaultKind::reorder:
    case FaultKind::duplicate:
    case FaultKind::corrupt:
      plan.amount = between(0.01, 0.3);
      break;
    case FaultKind::throttled:
      plan.amount = between(2e3, 50e3);
      break;
    case FaultKind::noise:
      plan.amount = between(1, 50);
      break;
    case FaultKind::link_down:
    case FaultKind::one_way:
    case FaultKind::names_down:
      break;
  }
  return plan;
}

void RandomWorld::fault() {
  const auto plan = draw_fault();
  if (!plan) return;
  const std::size_t before = world_.faults().size();
  faults_.inflict(*plan);
  for (std::size_t f = before; f < world_.faults().size(); ++f)
    note(world_.faults()[f].to_string() + " for " + std::to_string(to_seconds(*plan->lasts)) + " s");
}

/// What people and configurations do.
void RandomWorld::act() {
  const auto [i, j] = two();
  if (!usable(i)) return;
  Host& h = host(i);
  switch (rng_.below(8)) {
    case 0:
      note(h.name() + " is told to stop");
      h.shutdown();
      stop_by_[i] = h.machine().now() + kStopLimit;
      // A late reload, as a service manager may send it.
      if (rng_.chance(0.2)) h.configure();
      return;
    case 1:
    case 2:
      note(h.name() + " gets other peers");
      draw_membership(i, 0.7);
      return h.configure();
    case 3:
      if (!secret_) return;
      note(h.name() + " gets other secrets");
      set_epoch(i, rng_.below(3));
      return h.configure();
    case 4:
      h.command(event::Connect{host(j).id(), rng_.chance(0.3) ? topology_.addresses(j) : std::vector<HostPort>{}});
      return;
    case 5:
      h.command(event::Disconnect{host(j).id()});
      return;
    case 6: {
      const auto burst = rng_.below(20);
      for (auto n = burst; n > 0; --n) {
        const auto size = static_cast<std::uint32_t>(rng_.below(2100));
        if (burst >= kBurst) h.command(event::Ping{host(j).id(), size});
      }
      if (burst < kBurst) h.command(event::Ping{host(j).id(), 0});
      return;
    }
    default:
      h.command(event::MeasureBandwidth{host(j).id(), rng_.below(1 << 18), rng_.up_to(3s)});
  }
}

std::string RandomWorld::check_stops() {
  for (std::size_t i = 0; i < nodes_; ++i) {
    Host& h = host(i);
    if (!stop_by_[i]) continue;
    // Seconds behind with what has arrived, it is told to stop seconds late: the time runs from when it has caught up.
    if (h.machine().backlog() > 0 && !h.node().stopped()) stop_by_[i] = h.machine().now() + kStopLimit;
    if (h.machine().now() < *stop_by_[i]) continue;
    if (!h.frozen() && !h.machine().asleep() && !h.node().stopped()) return h.name() + " did not stop within 2 s";
    h.kill();
    stop_by_[i].reset();
    start_at_[i] = world_.now() + rng_.up_to(20s);
  }
  return {};
}

void RandomWorld::start_again() {
  for (std::size_t i = 0; i < nodes_; ++i)
    if (start_at_[i] && world_.now() >= *start_at_[i] && !host(i).machine().asleep()) {
      start_at_[i].reset();
      host(i).start();
    }
}

void RandomWorld::heal() {
  faults_.end_all();
  meeting_point_.heal();
  world_.run_until([this] { return faults_.active() == 0; }, 1min);
  // Where a session outlived what its router knew, its packets made a new mapping, which takes the answers away from
  // who comes by the static one as long as there are any: their owner starts both anew, once all that was sent is gone.
  std::vector<net::Router*> mapping;
  for (net::Router* router : topology_.nats()) {
    const auto hosts = topology_.mapped_behind(*router);
    for (const std::size_t i : hosts) host(i).kill();
    if (!hosts.empty()) mapping.push_back(router);
  }
  world_.run_for(kDrained);
  for (net::Router* router : mapping) {
    Faults::Plan reboot;
    reboot.kind = FaultKind::nat_reboot;
    reboot.router = router;
    reboot.lasts = Duration{};
    faults_.inflict(reboot);
  }
  // With new configurations, or by themselves.
  const bool anew = rng_.chance(0.5);
  const double density = rng_.chance(0.5) ? 1 : 0.8;
  Rng secrets = world_.net.rng_for("secrets");
  note(anew ? "the end of all faults; everybody gets another configuration" : "the end of all faults");
  for (std::size_t i = 0; i < nodes_; ++i) {
    if (stop_by_[i]) host(i).kill();
    stop_by_[i].reset();
    start_at_[i].reset();
    if (secret_) set_epoch(i, secrets.below(2));  // neighbours share one
    if (anew) draw_membership(i, density);
    if (!host(i).running())
      host(i).start();
    else if (anew || secret_)
      host(i).configure();
  }
}

}  // namespace pw::sim
