// A session that came up through a relay goes direct where two NATs let it, and stays where it is where they don't.
#include <catch2/catch_test_macros.hpp>

#include "homes.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;
using event::PathKind;
using net::Place;

namespace {

/// What both ends say of it: nothing where addresses of a machine answered, else that the first attempt succeeded.
std::string told_wrongly(const TwoHomes& h, bool needed) {
  for (const Host* host : {h.a, h.b}) {
    const auto started = host->all<event::TraversalStarted>();
    const auto ended = host->all<event::TraversalEnded>();
    if (!needed && !started.empty()) return host->name() + " tells of an attempt that was not needed";
    if (!needed) continue;
    if (started.size() != 1 || ended.size() != 1) return host->name() + " tells of other than one attempt";
    if (started[0].trigger != event::TraversalTrigger::initial) return host->name() + " tells another trigger";
    if (ended[0].result != event::TraversalResult::success || ended[0].method != event::TraversalMethod::punch)
      return host->name() + " does not tell of a success";
  }
  return {};
}

std::string goes_direct(std::uint64_t seed, const Home& first, const Home& second, Duration within, double loss = 0) {
  TwoHomes h{seed, first, second};
  h.w.default_link.loss = loss;
  // One end hears of the other later than it is heard of: what it sends at the agreed moment is late.
  if (first.input_accepts) h.w.link(seed % 4 == 1 ? *h.a : *h.b, h.server).delay = 100ms;
  h.w.start_all();
  const std::string where = std::string{name(first.place)} + " and " + std::string{name(second.place)} + ": ";
  if (!h.w.run_until([&] { return h.up(); }, 10s)) return where + "not connected";
  if (!h.w.run_until([&] { return h.direct(); }, within)) return where + "not direct";
  const auto changes = h.a->count<event::PathChanged>();
  h.w.run_for(20s);
  if (loss == 0 && (!h.direct() || h.a->count<event::PathChanged>() != changes)) return where + "it does not stay direct";
  std::string wrong = broken_rule(h.w);
  if (wrong.empty() && loss == 0) wrong = told_wrongly(h, first.place != Place::open && second.place != Place::open);
  return wrong.empty() ? wrong : where + wrong;
}

}  // namespace

TEST_CASE("two whose NATs keep one outer address for all remotes go direct within seconds") {
  const std::vector<Place> places{Place::open, Place::eif, Place::adf, Place::apdf, Place::carrier};
  for_every_seed([&](std::uint64_t seed) {
    const Place first = places[seed % places.size()];
    const Place second = places[seed / places.size() % places.size()];
    return goes_direct(seed, {first}, {second}, 1s);
  });
}

TEST_CASE("neither losses nor routers that take early packets for their own keep them from it") {
  for_every_seed([&](std::uint64_t seed) {
    if (seed % 2 == 0) return goes_direct(seed, {Place::apdf}, {Place::apdf}, 60s, 0.05);
    return goes_direct(seed, {Place::apdf, true}, {Place::apdf, true}, 60s);
  });
}

TEST_CASE("nor does it matter how near they are, and that one of them has more addresses to open for than the other") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::apdf, true}, {Place::apdf, true}};
    h.w.default_link.delay = 300us;
    h.w.start_all();
    event::Interfaces told;
    for (std::uint8_t last = 2; last < 7; ++last) told.push_back({"lan", IpAddress::v4({192, 168, 2, last}), false});
    h.b->node().handle_interfaces(h.w.now(), told);
    if (!h.w.run_until([&] { return h.direct(); }, 5s)) return "not direct";
    return broken_rule(h.w);
  });
}

TEST_CASE("where one end admits whom it sent to from any port, the other's NAT may be of any kind") {
  const std::vector<Place> easy{Place::open, Place::eif, Place::adf};
  const std::vector<Place> hard{Place::adm, Place::sequential, Place::random};
  for_every_seed([&](std::uint64_t seed) {
    return goes_direct(seed, {easy[seed % easy.size()]}, {hard[seed / easy.size() % hard.size()]}, 1s);
  });
}

TEST_CASE("a NAT that forgets everything and gives other ports costs the direct path, not the session, and it comes back") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {.place = Place::apdf, .ports = net::PortAllocation::random}, {Place::apdf}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.direct(); }, 15s)) return "not direct";
    h.w.run_for(10s);
    Faults faults{h.w};
    faults.inflict({.kind = FaultKind::nat_reboot, .host = 1, .other = {}, .router = h.routers[0], .amount = 0, .lasts = 1s});
    if (!h.w.run_until([&] { return !h.direct(); }, 20s)) return "nobody notices";
    if (!h.w.run_until([&] { return h.direct(); }, 60s)) return "it does not come back";
    for (const Host* host : {h.a, h.b})
      if (host->count<event::SessionEnded>() != 0) return host->name() + " has lost the session";
    const auto attempts = h.b->all<event::TraversalStarted>();
    if (attempts.size() < 2 || attempts[1].trigger == event::TraversalTrigger::initial) return "no second attempt is told";
    return broken_rule(h.w);
  });
}

TEST_CASE("a NAT that gives other ports to all flows, the server's too, cuts a session off for seconds at most") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {.place = Place::apdf, .ports = net::PortAllocation::random}, {Place::apdf}};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.direct(); }, 15s)) return "not direct";
    h.w.run_for(10s);
    const auto carried = [&] { return h.a->peer(*h.b).path != PathKind::none && h.b->peer(*h.a).path != PathKind::none; };
    Faults faults{h.w};
    faults.inflict({.kind = FaultKind::nat_reboot, .host = 1, .other = {}, .router = h.routers[0], .amount = 0, .lasts = 100ms});
    // The way to the server may be another before the old one is given up: then nothing is cut off at all.
    if (!h.w.run_until([&] { return !h.direct(); }, 8s)) return "the direct path was not lost: nothing is shown";
    if (!h.w.run_until([&] { return carried(); }, 6s)) return "nothing carries it again";
    for (const Host* host : {h.a, h.b})
      if (host->count<event::SessionEnded>() != 0) return host->name() + " has lost the session";
    return broken_rule(h.w);
  });
}

TEST_CASE("a machine that moves to another network comes to a direct path from there") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::apdf}, {Place::apdf}};
    Host& c = h.settle("c", 3, {Place::adf});
    h.w.start_all();
    if (!h.w.run_until([&] { return h.direct(); }, 15s)) return "not direct";
    h.w.run_for(10s);
    net::Machine& machine = h.a->machine();
    machine.detach(*machine.interfaces().front());
    machine.attach(c.machine().interfaces().front()->segment, {IpAddress::v4({192, 168, 3, 9})});
    const auto from_there = [&] {
      if (!h.direct()) return false;
      for (const auto& path : h.b->peer(*h.a).paths)
        if (path.in_use && path.address.remote.ip == IpAddress::v4({11, 9, 3, 1})) return true;
      return false;
    };
    if (!h.w.run_until(from_there, 60s)) return "it does not come to a direct path";
    return broken_rule(h.w);
  });
}

TEST_CASE("two in one network, behind a NAT that is of no use to them, talk there") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::random}, {Place::random}};
    Host& c = h.settle_beside("c", *h.a, IpAddress::v4({192, 168, 1, 7}));
    h.acquaint(*h.a, c);
    h.w.start_all();
    if (!h.w.run_until([&] { return h.direct(*h.a, c) && h.direct(c, *h.a); }, 10s)) return "not direct";
    if (h.a->peer(c).paths.empty()) return "no path";
    for (const auto& path : h.a->peer(c).paths)
      if (path.in_use && path.address.remote.ip != IpAddress::v4({192, 168, 1, 7})) return "it goes another way";
    return broken_rule(h.w);
  });
}

TEST_CASE("two whose NATs nothing leads through stay on the relay, without a storm") {
  const std::vector<std::pair<Place, Place>> hard{
      {Place::random, Place::random}, {Place::adm, Place::adm}, {Place::random, Place::sequential}};
  for_every_seed([&](std::uint64_t seed) -> std::string {
    const auto& [first, second] = hard[seed % hard.size()];
    TwoHomes h{seed, {first}, {second}};
    SentTo sent{h.w, *h.a, IpAddress::v4({11, 9, 2, 1})};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.relayed(); }, 10s)) return "not connected";
    const auto own = h.a->snapshot().nat.candidates;
    if (own.size() < 2 || own[0].address.ip != IpAddress::v4({192, 168, 1, 2})) return "its own candidates are not told";
    if (own[1].kind != event::CandidateKind::server_reflexive || own[1].address.ip != IpAddress::v4({11, 9, 1, 1}))
      return "where it is seen is not told";
    h.w.run_for(60s);
    if (!h.relayed()) return "not through the relay";
    // A few addresses, a few rounds in the first minute, each of seven checks.
    if (sent.packets > 150) return std::to_string(sent.packets) + " packets to where nobody answers";
    const auto first_minute = sent.packets;
    h.w.run_for(5min);
    if (sent.packets - first_minute > 2 * first_minute) return "it does not ease off";
    if (h.a->count<event::SessionEnded>() != 0) return "the session ended";
    return broken_rule(h.w);
  });
}

TEST_CASE("a peer that says it is at somebody else's addresses makes nobody a victim") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    TwoHomes h{seed, {Place::apdf}, {Place::random}};
    const IpAddress victim = IpAddress::v4({13, 0, 0, 1});
    h.w.net.add_machine("victim").attach(h.w.internet, {victim});
    SentTo sent{h.w, *h.a, victim};
    h.w.start_all();
    if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
    // Again and again, and each time as if the network had changed.
    for (int i = 0; i < 60; ++i) {
      event::Interfaces told{{"lan", IpAddress::v4({192, 168, 2, 2}), false}, {"lie", victim, false}};
      for (std::uint8_t n = 0; n < 6; ++n)
        told.push_back({"lie", IpAddress::v4({13, 0, static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(n + 2)}), false});
      h.b->pretend(told);
      h.w.run_for(1s);
    }
    // Seven checks in ten seconds, and rounds of up to eight: three at first, and one in twenty seconds.
    if (sent.packets == 0) return "nothing was checked: the test tests nothing";
    if (sent.packets > 7 * 7 + 8 * (3 + 3)) return std::to_string(sent.packets) + " packets to a victim within a minute";
    return broken_rule(h.w);
  });
}
