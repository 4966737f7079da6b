#include "sim/matrix/run.hpp"

#include <algorithm>
#include <memory>
#include <sstream>
#include <vector>

#include "sim/checks.hpp"
#include "sim/matrix/told.hpp"
#include "sim/net/strangers.hpp"
#include "sim/swarm/journal.hpp"

namespace pw::sim::matrix {
namespace {

constexpr Duration kServerAhead = 2s;   // it serves before anybody comes
constexpr Duration kStartsApart = 1s;   // of the two, at most; either may be the first
constexpr Duration kMapped = 60s;       // a port, at the latest …
constexpr Duration kGlance = 100ms;     // … looked for so often: a look costs as much as many packets
constexpr Duration kConnects = 20s;     // then it is "apart"
constexpr Duration kSettles = 8s;       // after a direct path: the NATs are measured, attempts have ended
constexpr Duration kNatMeasured = 15s;  // at the latest

/// Others behind each NAT that counts its ports up: in the network of the host itself.
std::vector<std::unique_ptr<net::Strangers>> add_strangers(TwoHomes& h, double rate) {
  std::vector<std::unique_ptr<net::Strangers>> out;
  if (rate == 0) return out;
  for (const Host* host : {h.a, h.b}) {
    const auto routers = h.w.routers_of(*host);
    if (routers.empty() || routers.front()->nat()->options().ports != net::PortAllocation::sequential) continue;
    net::Segment& lan = host->machine().interfaces().front()->segment;
    const std::string address = host->address().ip.to_string() + "5";  // 192.168.n.25
    out.push_back(std::make_unique<net::Strangers>(h.w.net, lan, "strangers of " + host->name(), address,
                                                   IpAddress::v4({13, 0, 0, 1}), rate));
  }
  return out;
}

/// Cells don't share their losses: what many of them came to together is judged as independent runs (FNV-1a).
std::uint64_t seed_of(const Cell& cell, std::uint64_t seed) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : cell.name()) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
  return hash + seed;
}

bool has_mapped(const Host& host) {
  const auto mapping = host.snapshot().nat.mapping;
  return mapping && mapping->mapped;
}

/// The instant of the later start. Whose port is to be mapped begins, and has it mapped before the other one comes: that takes
/// as long as it takes to find out what its router speaks.
Instant start(TwoHomes& h, bool maps) {
  h.server.start();
  h.w.run_for(kServerAhead);
  Rng rng = h.w.net.rng_for("starts");
  h.w.run_for(rng.up_to(kStartsApart));
  Host* const first = maps || rng.chance(0.5) ? h.a : h.b;
  first->start();
  for (Duration waited{}; maps && !has_mapped(*first) && waited < kMapped; waited += kGlance) h.w.run_for(kGlance);
  h.w.run_for(rng.up_to(kStartsApart));
  (first == h.a ? h.b : h.a)->start();
  return h.w.now();
}

Instant later(const std::optional<Instant>& a, const std::optional<Instant>& b) { return std::max(a.value(), b.value()); }

/// What punching needs is known when the session is there: where servers see each end. The other methods need to know the
/// NATs.
Instant gathered(const Watch& a, const Watch& b, Best best) {
  const Instant up = later(a.connected, b.connected);
  if (best == Best::punch || !a.measured || !b.measured) return up;
  return std::max(up, later(a.measured, b.measured));
}

std::string method_of(const Watch& watch) {
  if (watch.ended.empty()) return "none needed";
  const event::TraversalEnded& last = watch.ended.back();
  return std::string{last.result == event::TraversalResult::success ? pw::name(last.method) : pw::name(last.failure)};
}

}  // namespace

Duration gate(Best best, double loss) {
  if (loss > 0) return 30s;
  return best == Best::birthday ? 10s : 1s;
}

Run run(const Cell& cell, const Conditions& c) {
  TwoHomes h{seed_of(cell, c.seed)};
  h.w.default_link.delay = kDelay;
  h.w.default_link.loss = c.loss;
  cell.settle(h);
  h.acquaint(*h.a, *h.b);
  for (Host* host : {&h.server, h.a, h.b}) host->keep_events = false;
  if (c.log) h.w.add(std::make_unique<Journal>(h.w, *c.log, c.log_packets));
  const auto strangers = add_strangers(h, c.foreign_flows);
  auto& a = static_cast<Watch&>(h.w.add(std::make_unique<Watch>(*h.a)));
  auto& b = static_cast<Watch&>(h.w.add(std::make_unique<Watch>(*h.b)));
  const Instant began = start(h, cell.mapped.has_value());
  const bool goes_direct = expected(cell.best) == Outcome::direct;

  Run run;
  h.w.run_until([&] { return a.connected && b.connected; }, kConnects);
  if (a.connected && b.connected) {
    run.connected = later(a.connected, b.connected) - began;
    h.w.run_until([&] { return a.direct && b.direct; }, goes_direct ? gate(cell.best, c.loss) + kNatMeasured : kWatched);
  }
  if (a.direct && b.direct) {
    const Instant direct = later(a.direct, b.direct);
    run.direct = direct - (began + *run.connected);
    run.direct_gathered = direct - gathered(a, b, cell.best);
    run.in_time = *run.direct_gathered <= gate(cell.best, c.loss);
    h.w.run_for(kSettles);
  }
  h.w.run_until([&] { return a.measured && b.measured && a.started.size() == a.ended.size() && b.started.size() == b.ended.size(); },
                kNatMeasured);
  run.packets = {a.direct ? a.packets_until_direct : a.packets, b.direct ? b.packets_until_direct : b.packets};
  run.method = {method_of(a), method_of(b)};
  const bool stable = c.loss > 0 || (a.left_direct == 0 && b.left_direct == 0);
  if (a.is_connected() && b.is_connected())
    run.outcome = a.is_direct() && b.is_direct() && stable ? Outcome::direct : Outcome::relayed;
  run.untrue = told_wrongly(h.w, *h.a, *h.b, a, cell, c.loss == 0);
  if (run.untrue.empty()) run.untrue = told_wrongly(h.w, *h.b, *h.a, b, cell, c.loss == 0);
  if (a.sessions_ended + b.sessions_ended != 0) run.broken = "the session ended";
  if (run.broken.empty()) run.broken = broken_rule(h.w);
  return run;
}

// ---- between processes

namespace {

constexpr char kSeparator = '\t';
constexpr std::size_t kFields = 11;

std::string text(const std::optional<Duration>& d) { return d ? std::to_string(d->count()) : ""; }
std::optional<Duration> duration(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional{Duration{std::stoll(text)}};
}

}  // namespace

std::string to_line(const Run& r) {
  std::string line{pw::name(r.outcome)};
  for (const std::string& field :
       {std::string{r.in_time ? "1" : "0"}, text(r.connected), text(r.direct), text(r.direct_gathered), std::to_string(r.packets[0]),
        std::to_string(r.packets[1]), r.method[0], r.method[1], r.untrue, r.broken})
    line += kSeparator + field;
  return line;
}

Run from_line(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in{line + kSeparator};
  for (std::string field; std::getline(in, field, kSeparator);) fields.push_back(field);
  Run r;
  const auto outcome = fields.empty() ? std::nullopt : from_name<Outcome>(fields[0]);
  if (fields.size() != kFields || !outcome) {
    r.broken = line;
    return r;
  }
  r.outcome = *outcome;
  r.in_time = fields[1] == "1";
  r.connected = duration(fields[2]);
  r.direct = duration(fields[3]);
  r.direct_gathered = duration(fields[4]);
  r.packets = {static_cast<std::uint32_t>(std::stoul(fields[5])), static_cast<std::uint32_t>(std::stoul(fields[6]))};
  r.method = {fields[7], fields[8]};
  r.untrue = fields[9];
  r.broken = fields[10];
  return r;
}

}  // namespace pw::sim::matrix
