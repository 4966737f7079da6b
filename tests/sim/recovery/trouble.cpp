#include "sim/recovery/trouble.hpp"

#include <algorithm>

#include "base/backoff.hpp"
#include "sim/recovery/rig.hpp"

namespace pw::sim::recovery {

using net::Place;

namespace {

/// Plain punching suffices; a NAT that forgets gives other ports.
const Home kEasy{.place = Place::apdf, .ports = net::PortAllocation::random};
/// Nothing but a relay leads through.
const Home kHard{.place = Place::random};

Outcome worthless(std::string why) {
  Outcome o;
  o.broken = std::move(why);
  return o;
}
Outcome not_begun() { return worthless("the session did not come about"); }

/// Where another way is left: three of its round trips from when both ends have noticed.
Outcome over_another_way(Outcome o) {
  o.allowed = o.noticed + 3 * o.least;
  return o;
}

Outcome dead_direct_path(std::uint64_t seed) {
  Rig r{seed, kEasy, kEasy};
  if (!r.begin(true)) return not_begun();
  r.inflict(FaultKind::link_down, r.a->index(), {}, r.b->index());
  return over_another_way(r.outcome(r.broken, Rig::kUsual));
}

Outcome dead_relay(std::uint64_t seed) {
  Rig r{seed, kHard, kHard, true};
  if (!r.begin(false)) return not_begun();
  r.inflict(FaultKind::crash, r.relay_in_use().index(), 5min);
  return over_another_way(r.outcome(r.broken, 1min));
}

/// A bootstrap is needed by who has no session: one end starts anew meanwhile.
Outcome dead_bootstrap(std::uint64_t seed) {
  Rig r{seed, kEasy, kEasy, true};
  if (!r.begin(true)) return not_begun();
  r.inflict(FaultKind::crash, r.servers[seed % 2]->index(), 10min);
  r.w.run_for(5s);
  r.b->kill();
  r.w.run_for(1s);
  r.b->start();
  Outcome o = r.outcome(r.w.now(), 1min);
  o.sessions_lost = 0;  // by the start, not by the bootstrap
  return o;
}

/// Sessions stay, whatever becomes of who brought them about.
Outcome dead_bootstraps(std::uint64_t seed) {
  Rig r{seed, kEasy, kEasy, true};
  if (!r.begin(true)) return not_begun();
  for (const Host* one : r.servers) r.inflict(FaultKind::crash, one->index(), 10min);
  r.w.run_for(2min);
  return r.outcome(r.w.now(), Rig::kUsual);
}

Outcome nat_reboot(std::uint64_t seed) {
  Rig r{seed, kEasy, kEasy};
  if (!r.begin(true)) return not_begun();
  r.inflict(FaultKind::nat_reboot, r.a->index(), 100ms, {}, 0, r.routers[0]);
  Outcome o = r.outcome(r.broken, 1min);  // the way to the relay is gone too: no other is left, until one is made
  o.allowed = o.noticed + 2s;
  return o;
}

Outcome address_change(std::uint64_t seed) {
  Rig r{seed, {Place::open}, kEasy};
  if (!r.begin(true)) return not_begun();
  r.inflict(FaultKind::address_change, r.a->index(), {});
  return over_another_way(r.outcome(r.broken, 1min));
}

Outcome suspend(std::uint64_t seed) {
  Rig r{seed, kEasy, kEasy};
  if (!r.begin(true)) return not_begun();
  r.inflict(FaultKind::suspended, r.a->index(), std::chrono::hours{1});
  r.w.run_for(std::chrono::hours{1});
  Outcome o = r.outcome(r.w.now(), 2min);
  o.allowed = 10s;
  return o;
}

/// One end reaches nobody, and nobody reaches it; then all is well again.
Outcome partition(std::uint64_t seed, Duration lasts) {
  Rig r{seed, {Place::open}, kEasy};
  if (!r.begin(true)) return not_begun();
  std::vector<Faults::Id> cuts{r.inflict(FaultKind::link_down, r.a->index(), {}, r.b->index())};
  cuts.push_back(r.faults.inflict({.kind = FaultKind::link_down, .host = r.a->index(), .other = r.server.index(), .router = nullptr, .amount = 0, .lasts = {}}));
  r.w.run_for(lasts);
  // What the ends had come to: the most that either would have waited for its next try.
  unsigned failures = 0;
  for (const Host* one : {r.a, r.b})
    for (const auto& dial : one->all<event::DialStarted>()) failures = std::max(failures, dial.failures_before + 1);
  const Duration step = std::min<Duration>(r.a->options.peer.retry_max, r.a->options.peer.retry_initial * (1LL << std::min(failures, 16U)));
  for (const Faults::Id cut : cuts) r.faults.end(cut);
  Outcome o = r.outcome(r.w.now(), 5min);
  o.allowed = 2 * step;
  return o;
}
Outcome short_partition(std::uint64_t seed) { return partition(seed, 30s); }
Outcome long_partition(std::uint64_t seed) { return partition(seed, 10min); }

/// Up for half of each five seconds.
Outcome flapping(std::uint64_t seed) {
  Rig r{seed, {Place::open}, kEasy};
  if (!r.begin(true)) return not_begun();
  for (int i = 0; i < 12; ++i) {
    const bool first = i == 0;
    const auto down = [&] {
      if (first) return r.inflict(FaultKind::interface_down, r.a->index(), {});
      return r.faults.inflict({.kind = FaultKind::interface_down, .host = r.a->index(), .other = {}, .router = nullptr, .amount = 0, .lasts = {}});
    };
    const Faults::Id id = down();
    r.w.run_for(2500ms);
    r.faults.end(id);
    if (i < 11) r.w.run_for(2500ms);
  }
  return r.outcome(r.w.now(), 1min);
}

Outcome loss(std::uint64_t seed) {
  Rig r{seed, kEasy, kEasy};
  if (!r.begin(true)) return not_begun();
  r.inflict(FaultKind::loss, r.a->index(), {}, {}, 0.2);
  r.w.run_for(1min);
  return r.outcome(r.w.now(), Rig::kUsual);
}

Outcome slow_node(std::uint64_t seed) {
  Rig r{seed, kEasy, kEasy};
  if (!r.begin(true)) return not_begun();
  const auto id = r.inflict(FaultKind::slow, r.a->index(), {}, {}, 0.02);
  r.w.run_for(1min);
  r.faults.end(id);
  return r.outcome(r.w.now(), Rig::kUsual);
}

/// Eight that know each other's addresses; four are killed and started two seconds later.
Outcome half_restarts(std::uint64_t seed) {
  constexpr std::size_t kNodes = 8;
  World w{seed};
  Faults faults{w};
  for (std::size_t i = 0; i < kNodes; ++i) w.add("n" + std::to_string(i));
  Rng rng = w.net.rng_for("distances");
  Duration longest{};
  for (std::size_t i = 0; i < kNodes; ++i)
    for (std::size_t j = i + 1; j < kNodes; ++j) {
      net::Link link;
      link.delay = 5ms + rng.up_to(55ms);
      longest = std::max(longest, link.delay);
      w.both_ways(w.host(i), w.host(j), link);
    }
  w.introduce_all();
  w.start_all();
  const auto pairs_up = [&](Instant since) {
    for (std::size_t i = 0; i < kNodes; ++i)
      for (std::size_t j = 0; j < kNodes; ++j) {
        if (i == j || (i >= kNodes / 2 && j >= kNodes / 2)) continue;
        const auto peer = w.host(i).peer(w.host(j));
        if (!w.host(i).connected(w.host(j)) || !peer.last_seen || *peer.last_seen < since) return false;
      }
    return true;
  };
  if (!w.run_until([&] { return pairs_up(Instant{}); }, 30s)) return not_begun();
  w.run_for(20s);
  const std::uint64_t before = w.packets_sent();
  for (std::size_t i = 0; i < kNodes / 2; ++i)
    faults.inflict({.kind = FaultKind::crash, .host = i, .other = {}, .router = nullptr, .amount = 0, .lasts = 2s});
  w.run_for(2s + 1ms);
  const Instant from = w.now();
  Outcome o;
  if (w.run_until([&] { return pairs_up(from); }, 1min)) o.took = w.now() - from;
  o.packets = w.packets_sent() - before;
  o.least = 4 * longest;  // two round trips of the pair furthest apart: a handshake, and what admits
  o.broken = broken_rule(w);
  return o;
}

}  // namespace

const std::vector<Trouble>& all_troubles() {
  constexpr std::string_view kAnother = "noticing + 3 RTT of the other way";
  constexpr std::string_view kStep = "2 × the back-off step";
  static const std::vector<Trouble> all{
      {"direct path dead, relay left", "the fault", kAnother, true, dead_direct_path},
      {"relay dead, another left", "the fault", kAnother, true, dead_relay},
      {"one of two bootstraps dead, an end starts", "the start", "", true, dead_bootstrap},
      {"all bootstraps dead for 2 min, direct session", "two minutes later", "", true, dead_bootstraps},
      {"NAT reboots, gives other ports", "the fault", "noticing + 2 s", true, nat_reboot},
      {"address of an end changes", "the fault", kAnother, true, address_change},
      {"suspended for 1 h", "waking", "10 s", false, suspend},
      {"partition of 30 s", "its end", kStep, false, short_partition},
      {"partition of 10 min", "its end", kStep, false, long_partition},
      {"link down 2.5 s of each 5 s, for 1 min", "its end", "", false, flapping},
      {"20 % loss for 1 min", "a minute into it", "", true, loss},
      {"slow node (20 ms a packet) for 1 min", "its end", "", true, slow_node},
      {"half of 8 nodes restart", "their start", "", false, half_restarts},
  };
  return all;
}

namespace {
constexpr char kSeparator = '|';
}

std::string to_line(const Outcome& o) {
  std::string line = o.took ? std::to_string(o.took->count()) : "-";
  for (const std::string& field : {std::to_string(o.noticed.count()), std::to_string(o.least.count()), std::to_string(o.allowed.count()),
                                   std::to_string(o.packets), std::to_string(o.sessions_lost), o.broken})
    line += kSeparator + field;
  return line;
}

Outcome from_line(const std::string& line) {
  constexpr std::size_t kFields = 7;
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == kSeparator && fields.size() < kFields)
      fields.emplace_back();
    else
      fields.back() += c;
  }
  if (fields.size() != kFields) return worthless(line);
  Outcome o;
  const auto duration = [&](std::size_t i) { return Duration{std::stoll(fields[i])}; };
  if (fields[0] != "-") o.took = duration(0);
  o.noticed = duration(1);
  o.least = duration(2);
  o.allowed = duration(3);
  o.packets = std::stoull(fields[4]);
  o.sessions_lost = static_cast<unsigned>(std::stoul(fields[5]));
  o.broken = fields[6];
  return o;
}

}  // namespace pw::sim::recovery
