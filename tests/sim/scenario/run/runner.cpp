#include "sim/scenario/run/runner.hpp"

#include <algorithm>
#include <cstdio>

#include "base/check.hpp"
#include "sim/scenario/run/truth.hpp"
#include "sim/stun/nat_discovery.hpp"
#include "sim/stun/stun_server.hpp"
#include "sim/topology/network.hpp"

namespace pw::sim::scenario {
namespace {

// Far more than an RFC 5780 discovery without the search for a time-out takes.
constexpr Duration kDiscoveryLimit = 5min;
// What a packet takes where the file says nothing of delay, as through a bridge of a real kernel: a round trip of exactly
// nothing is one that a daemon takes for not measured.
constexpr Duration kCable = 20us;

/// The scenario, with cables that take some time.
Scenario with_cables(Scenario scenario) {
  for (Segment& segment : scenario.segments) segment.link.delay = std::max(segment.link.delay, kCable);
  for (Do& d : scenario.dos) d.set.delay = std::max(d.set.delay, kCable);
  return scenario;
}

std::string number(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.4g", value);
  return out;
}

class Run {
 public:
  Run(const Scenario& scenario, std::uint64_t seed)
      : scenario_{with_cables(scenario)}, world_{seed}, truth_{world_, scenario_} {
    report_.scenario = scenario_.name;
    report_.seed = seed;
    report_.results.resize(scenario_.expects.size());
    decided_.resize(scenario_.expects.size());
    build();
  }

  Report run() {
    begin_ = world_.now();
    for (const Do& d : scenario_.dos)
      if (d.at == Duration{}) act(d);
    for (const Host& h : scenario_.hosts)
      if (h.peers && h.start && !started_.contains(h.name)) daemon(h.name).start();
    schedule();
    world_.run_until([this] { return tick(); }, end_ - begin_ + kDiscoveryLimit);
    for (std::size_t i = 0; i < decided_.size(); ++i)
      if (!decided_[i]) decide(i, false, "it took too long");
    report_.broken_rule = world_.verdict();
    report_.faults = world_.faults();
    return std::move(report_);
  }

 private:
  // ---- the network
  void build() {
    network_.emplace(world_.net, scenario_, Plan::whole(scenario_),
                     [this](const std::string& device, const Attachment& at, net::Segment& segment) -> net::Interface& {
                       auto& machine = machines_[device];
                       if (machine == nullptr) machine = &world_.net.add_machine(device);
                       return machine->attach(segment, at.addresses, at.access);
                     });
    for (const Host& h : scenario_.hosts) {
      if (h.peers) daemons_[h.name] = &world_.add(h.name, *machines_.at(h.name));
      if (h.serves_stun) servers_.emplace(h.name, std::make_unique<net::StunServer>(*machines_.at(h.name), family_of(h)));
    }
    for (const Host& h : scenario_.hosts)
      for (const std::string& peer : h.peers.value_or(std::vector<std::string>{})) {
        event::PeerSpec spec = daemon(peer).spec();
        if (std::ranges::find(h.hidden, peer) != h.hidden.end()) spec.addresses.clear();
        daemon(h.name).membership.peers.push_back(std::move(spec));
      }
  }
  /// The one that a server has two addresses of; IPv4 if both.
  static Family family_of(const Host& h) {
    std::size_t v4 = 0;
    for (const Attachment& a : h.attach)
      v4 += static_cast<std::size_t>(
          std::ranges::count(a.addresses, Family::v4, [](const IpAddress& ip) { return ip.family(); }));
    return v4 >= 2 ? Family::v4 : Family::v6;
  }
  sim::Host& daemon(const std::string& name) { return *daemons_.at(name); }

  // ---- what befalls it
  void schedule() {
    end_ = begin_;
    const auto at = [this](Duration when, std::function<void()> action) {
      end_ = std::max(end_, begin_ + when);
      world_.net.at(begin_ + when, std::move(action));
    };
    for (const Do& d : scenario_.dos)
      if (d.at > Duration{}) at(d.at, [this, &d] { act(d); });
    for (std::size_t i = 0; i < scenario_.expects.size(); ++i) {
      const Expect& e = scenario_.expects[i];
      at(e.at ? *e.at : *e.by, [this, i] { settle(i); });
    }
  }

  void act(const Do& d) {
    switch (d.what) {
      case Act::kill: daemon(d.on).kill(); break;
      case Act::start:
        daemon(d.on).kill();  // one that is still saying goodbye
        started_.insert(d.on);
        daemon(d.on).start();
        break;
      case Act::stop:
        daemon(d.on).shutdown();
        stopping_.insert(d.on);
        break;
      case Act::freeze:
        machines_.at(d.on)->stop(d.lasts);
        later(d);
        break;
      case Act::unplug:
      case Act::plug: {
        net::Machine& machine = *machines_.at(d.on);
        machine.set_enabled(*machine.interfaces().front(), d.what == Act::plug);
        break;
      }
      case Act::link: good(network_->link(d.on, d.to, d.set, d.both)); break;
      case Act::reboot:
        good(network_->reboot(d.on, d.lasts));
        later(d);
        break;
      case Act::addresses: {
        if (scenario_.router(d.on) != nullptr) {
          good(network_->change_addresses(d.on, d.addresses));
        } else {
          net::Machine& machine = *machines_.at(d.on);
          machine.set_addresses(*machine.interfaces().front(), d.addresses);
        }
        break;
      }
    }
    truth_.record(d);
  }
  /// load() has seen to it that all names are known.
  static void good(const Status& status) { PW_CHECK(status.has_value()); }
  void later(const Do& d) {
    world_.net.at(world_.now() + d.lasts, [this, &d] { truth_.over(d); });
  }

  // ---- what is seen
  /// After every step. True when all is decided and done.
  bool tick() {
    std::erase_if(stopping_, [this](const std::string& name) {
      if (daemon(name).running() && !daemon(name).node().stopped()) return false;
      daemon(name).kill();
      return true;
    });
    for (std::size_t i = 0; i < decided_.size(); ++i) {
      const Expect& e = scenario_.expects[i];
      if (!decided_[i] && e.by && world_.now() >= begin_ + e.after && states_are(e)) decide(i, true);
      const auto discovery = discoveries_.find(i);
      if (!decided_[i] && discovery != discoveries_.end() && discovery->second->done())
        judge_nat(i, discovery->second->behaviour());
    }
    return world_.now() >= end_ && std::ranges::all_of(decided_, std::identity{});
  }

  void decide(std::size_t i, bool ok, std::string why = {}) {
    decided_[i] = true;
    report_.results[i].ok = ok;
    report_.results[i].why = ok ? std::string{} : std::move(why);
    const Seen what = scenario_.expects[i].what;
    if (ok && (what == Seen::connected || what == Seen::disconnected))
      report_.results[i].at_s = to_seconds(world_.now() - begin_);
  }

  bool is_connected(const std::string& from, const std::string& to) {
    return daemon(from).running() && daemon(from).connected(daemon(to));
  }
  bool states_are(const Expect& e) {
    const bool there = is_connected(e.a, e.b);
    const bool back = is_connected(e.b, e.a);
    return e.what == Seen::connected ? there && back : !there && !back;
  }
  std::string state_text(const std::string& from, const std::string& to) {
    return from + " says " +
           (daemon(from).running() ? std::string{name(daemon(from).state(daemon(to)))} : std::string{"not running"});
  }

  /// Its time has come.
  void settle(std::size_t i) {
    if (decided_[i]) return;
    const Expect& e = scenario_.expects[i];
    switch (e.what) {
      case Seen::connected:
      case Seen::disconnected:
        return decide(i, states_are(e), state_text(e.a, e.b) + ", " + state_text(e.b, e.a));
      case Seen::rtt: return settle_rtt(i, e);
      case Seen::loss: return settle_loss(i, e);
      case Seen::nat: {
        net::DiscoveryOptions options;
        options.server = servers_.at(e.b)->primary();
        options.hairpin = false;
        Rng rng = world_.net.rng_for("discovery " + std::to_string(i));
        auto& discovery = discoveries_[i];
        discovery = std::make_unique<net::NatDiscovery>(*machines_.at(e.a), options, std::move(rng));
        discovery->start();
        return;
      }
    }
  }

  void settle_rtt(std::size_t i, const Expect& e) {
    const double wanted = to_milliseconds(e.rtt);
    auto& seen = report_.results[i].rtt_ms;
    if (daemon(e.a).running())
      for (const event::PathSnapshot& path : daemon(e.a).peer(daemon(e.b)).paths)
        if (path.in_use && path.rtt) seen = to_milliseconds(*path.rtt);
    const bool ok = seen && std::abs(*seen - wanted) <= wanted * e.within;
    decide(i, ok, "rtt_ms is " + (seen ? number(*seen) : "unknown") + ", expected " + number(wanted) + " ± " +
                      number(wanted * e.within));
  }

  void settle_loss(std::size_t i, const Expect& e) {
    double expected = 0;
    double lost = 0;
    for (const auto& accounted : daemon(e.a).all<event::ProbesAccounted>()) {
      if (accounted.peer != daemon(e.b).id() || accounted.direction != event::ProbeDirection::forward) continue;
      expected += accounted.expected;
      lost += accounted.lost;
    }
    auto& seen = report_.results[i].loss;
    if (expected > 0) seen = lost / expected;
    const bool ok = seen && std::abs(*seen - e.loss) <= e.within;
    decide(i, ok, "loss is " + (seen ? number(*seen) : "unknown") + ", expected " + number(e.loss) + " ± " +
                      number(e.within));
  }

  void judge_nat(std::size_t i, const net::Behaviour& found) {
    const Expect& e = scenario_.expects[i];
    Verdict& v = report_.results[i];
    v.nat = found.udp_blocked ? Translation::udp_blocked : found.translated ? Translation::translated : Translation::none;
    v.mapping = found.mapping;
    v.filtering = found.filtering;
    std::string why;
    const auto compare = [&](const char* what, const auto& wanted, const auto& seen) {
      if (!wanted || wanted == seen) return;
      why.append(why.empty() ? "" : ", ").append(what).append(" is ").append(seen ? name(*seen) : "unknown");
      why.append(", expected ").append(name(*wanted));
    };
    compare("nat", std::optional{e.nat}, v.nat);
    compare("mapping", e.mapping, v.mapping);
    compare("filtering", e.filtering, v.filtering);
    decide(i, why.empty(), why);
  }

  const Scenario scenario_;
  World world_;
  Truth truth_;
  std::optional<Network> network_;
  std::map<std::string, net::Machine*> machines_;
  std::map<std::string, sim::Host*> daemons_;
  std::map<std::string, std::unique_ptr<net::StunServer>> servers_;
  std::map<std::size_t, std::unique_ptr<net::NatDiscovery>> discoveries_;
  std::set<std::string> started_;
  std::set<std::string> stopping_;
  std::vector<bool> decided_;
  Instant begin_{};
  Instant end_{};
  Report report_;
};

}  // namespace

bool Report::passed() const { return broken_rule.empty() && std::ranges::all_of(results, &Verdict::ok); }

Report run(const Scenario& scenario, std::uint64_t seed) { return Run{scenario, seed}.run(); }

}  // namespace pw::sim::scenario
