// Where the ports of one end, or of both, change with each remote: they are predicted where they come in steps, and searched
// for where they don't, from within sessions that came up through a relay.
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "homes.hpp"
#include "sim/inflict.hpp"
#include "sim/net/strangers.hpp"

using namespace pw;
using namespace pw::sim;
using event::TraversalMethod;
using event::TraversalResult;
using net::Place;

namespace {

/// Ended attempts of one end.
std::string story(const Host& host) {
  std::string out;
  for (const auto& e : host.all<event::TraversalEnded>())
    out += " " + std::string{name(e.method)} + ":" + std::string{name(e.result)} + "/" + std::string{name(e.failure)} +
           (e.detail.empty() ? "" : " (" + e.detail + ")");
  return out;
}

/// When both ends knew what both NATs do, and could begin.
Instant gathered(const TwoHomes& h) {
  Instant last{};
  for (const Host* host : {h.a, h.b})
    for (const auto& r : host->events)
      if (std::holds_alternative<event::NatMeasured>(r.event)) last = std::max(last, r.at);
  return last;
}

std::string goes_direct(TwoHomes& h, TraversalMethod method, Duration within) {
  h.w.start_all();
  if (!h.w.run_until([&] { return h.up(); }, 10s)) return "not connected";
  if (!h.w.run_until([&] { return h.direct(); }, 60s)) return "not direct:" + story(*h.a) + " |" + story(*h.b);
  const Duration took = h.w.now() - std::max(gathered(h), Instant{});
  bool by_method = false;
  for (const Host* host : {h.a, h.b})
    for (const auto& e : host->all<event::TraversalEnded>())
      by_method |= e.result == TraversalResult::success && e.method == method;
  if (!by_method) return "not by " + std::string{name(method)} + ":" + story(*h.a) + " |" + story(*h.b);
  if (took > within) return "it took " + std::to_string(to_seconds(took)) + " s:" + story(*h.a) + " |" + story(*h.b);
  return {};
}

}  // namespace

TEST_CASE("where one end's ports come in steps they are predicted") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const std::vector<std::pair<Place, Place>> pairs{{Place::apdf, Place::sequential},
                                                     {Place::sequential, Place::sequential},
                                                     {Place::sequential, Place::carrier}};
    const auto& [first, second] = pairs[seed % pairs.size()];
    TwoHomes h{seed, {first}, {second}};
    std::string wrong = goes_direct(h, TraversalMethod::prediction, 1s);
    if (wrong.empty()) wrong = broken_rule(h.w);
    return wrong.empty() ? wrong : std::string{name(first)} + " and " + std::string{name(second)} + ": " + wrong;
  });
}

TEST_CASE("so they are while ten flows of others a second take ports behind each NAT, in nineteen of twenty cases") {
  int in_time = 0;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    TwoHomes h{seed, {Place::sequential}, {seed % 2 == 0 ? Place::apdf : Place::sequential}};
    std::vector<std::unique_ptr<net::Strangers>> others;
    for (std::size_t i = 0; i < 2; ++i) {
      net::Segment& lan = (i == 0 ? h.a : h.b)->machine().interfaces().front()->segment;
      const std::string n = std::to_string(i + 1);
      others.push_back(std::make_unique<net::Strangers>(h.w.net, lan, "strangers " + n, "192.168." + n + ".77",
                                                        IpAddress::v4({14, 0, 0, 1}), 10));
    }
    const std::string wrong = goes_direct(h, TraversalMethod::prediction, 1s);
    in_time += wrong.empty();
    INFO("seed " << seed << ": " << wrong);
    CHECK(broken_rule(h.w) == "");
  }
  const double n = seeds();
  // As well as so few runs can tell.
  CHECK(in_time >= n * 0.95 - 3 * std::sqrt(n * 0.95 * 0.05));
}

TEST_CASE("where one end's ports are random they are searched for") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const std::vector<std::pair<Place, Place>> pairs{{Place::apdf, Place::adm},
                                                     {Place::apdf, Place::random},
                                                     {Place::adm, Place::carrier},
                                                     {Place::random, Place::carrier}};
    const auto& [first, second] = pairs[seed % pairs.size()];
    TwoHomes h{seed, {first}, {second}};
    std::string wrong = goes_direct(h, TraversalMethod::birthday, 10s);
    if (wrong.empty()) wrong = broken_rule(h.w);
    return wrong.empty() ? wrong : std::string{name(first)} + " and " + std::string{name(second)} + ": " + wrong;
  });
}

namespace {

/// Two that are direct, as a rule by a socket that one of them has for it. A port that was guessed may be the own socket's:
/// with as many flows as a search makes, once in some hundred.
struct Direct : TwoHomes {
  Direct(std::uint64_t seed, Place first, Place second) : TwoHomes{seed, {first}, {second}} {
    w.start_all();
    up = w.run_until([&] { return direct(); }, 30s);
  }
  /// They have the sockets that their paths go by, and no other.
  std::string sockets() const {
    for (const auto& [host, other] : {std::pair{a, b}, std::pair{b, a}}) {
      std::set<Via> used;
      for (const auto& path : host->peer(*other).paths)
        if (!path.address.relayed() && path.address.via != Via::own) used.insert(path.address.via);
      const std::size_t has = host->snapshot().further_sockets;
      if (has != used.size())
        return host->name() + " has " + std::to_string(has) + " sockets for paths by " + std::to_string(used.size());
    }
    return {};
  }
  bool by_further_socket() const { return a->snapshot().further_sockets + b->snapshot().further_sockets > 0; }
  bool up;
};

const std::vector<std::pair<Place, Place>> kFurther{{Place::apdf, Place::sequential}, {Place::apdf, Place::random}};

}  // namespace

TEST_CASE("a path by a further socket is kept alive for longer than its NAT remembers it, and so is the socket") {
  unsigned further = 0;
  for_every_seed([&](std::uint64_t seed) -> std::string {
    const auto& [first, second] = kFurther[seed % kFurther.size()];
    Direct d{seed, first, second};
    if (!d.up) return "not direct";
    d.w.run_for(20s);
    further += d.by_further_socket();
    if (const std::string wrong = d.sockets(); !wrong.empty()) return wrong;
    const auto changes = d.a->count<event::PathChanged>() + d.b->count<event::PathChanged>();
    d.w.run_for(6min);
    if (!d.direct() || d.a->count<event::PathChanged>() + d.b->count<event::PathChanged>() != changes)
      return "it does not stay direct";
    return broken_rule(d.w);
  });
  CHECK(further >= seeds() * 9 / 10);
}

TEST_CASE("what such a path was found by is found again: after a NAT forgot everything, and after a daemon was started anew") {
  unsigned further = 0;
  for_every_seed([&](std::uint64_t seed) -> std::string {
    const auto& [first, second] = kFurther[seed % kFurther.size()];
    Direct d{seed, first, second};
    if (!d.up) return "not direct";
    d.w.run_for(10s);
    Faults faults{d.w};
    Host& hard = *d.b;
    if (seed / 2 % 2 == 0) {
      faults.inflict({.kind = FaultKind::nat_reboot, .host = 2, .other = {}, .router = d.routers[1], .amount = 0, .lasts = 1s});
    } else {
      faults.inflict({.kind = FaultKind::crash, .host = hard.index(), .other = {}, .router = nullptr, .amount = 0, .lasts = 2s});
    }
    if (!d.w.run_until([&] { return !d.direct(); }, 30s)) return "nobody notices";
    if (!d.w.run_until([&] { return d.direct(); }, 90s)) return "it does not come back:" + story(*d.a) + " |" + story(*d.b);
    d.w.run_for(2min);  // what is dead is forgotten
    if (!d.direct()) return "it does not stay";
    further += d.by_further_socket();
    if (const std::string wrong = d.sockets(); !wrong.empty()) return wrong;
    return broken_rule(d.w);
  });
  CHECK(further >= seeds() * 9 / 10);
}

TEST_CASE("a goodbye goes by the further socket, which is closed then") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const auto& [first, second] = kFurther[seed % kFurther.size()];
    Direct d{seed, first, second};
    if (!d.up) return "not direct";
    d.w.run_for(10s);
    Host& one = seed % 4 < 2 ? *d.a : *d.b;
    Host& other = seed % 4 < 2 ? *d.b : *d.a;
    one.command(event::Disconnect{other.id()});
    d.w.run_for(500ms);
    for (const Host* host : {d.a, d.b})
      if (host->snapshot().further_sockets != 0) return host->name() + " keeps its socket";
    if (one.state(other) != event::SessionState::disconnected) return "the goodbye is not answered";
    const auto ended = other.all<event::SessionEnded>();
    if (ended.size() != 1 || ended[0].reason != event::CloseReason::peer_request) return "the goodbye is not heard";
    return broken_rule(d.w);
  });
}

TEST_CASE("a peer that says it is at somebody else's address has nobody predict or search there") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const Place hard = seed % 2 == 0 ? Place::random : Place::sequential;
    TwoHomes h{seed, {Place::apdf}, {hard}};
    const IpAddress victim = IpAddress::v4({13, 0, 0, 1});
    h.w.net.add_machine("victim").attach(h.w.internet, {victim});
    SentTo to_victim{h.w, *h.a, victim};
    SentTo to_peer{h.w, *h.a, IpAddress::v4({11, 9, 2, 1})};
    h.w.start_all();
    h.b->pretend({{"lan", IpAddress::v4({192, 168, 2, 2}), false}, {"lie", victim, false}});
    if (!h.w.run_until([&] { return h.direct(); }, 30s)) return "not direct:" + story(*h.a);
    if (to_victim.packets == 0 || to_peer.ports.size() < 2) return "nothing was looked for: the test tests nothing";
    if (to_victim.ports.size() != 1) return "ports of a victim are guessed";
    // Seven checks, and again ten seconds later; three rounds of eight.
    if (to_victim.packets > 2 * 7 + 3 * 8) return std::to_string(to_victim.packets) + " packets to a victim";
    return broken_rule(h.w);
  });
}

TEST_CASE("without prediction such pairs stay on the relay, and open no socket") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    const auto& [first, second] = kFurther[seed % kFurther.size()];
    TwoHomes h{seed, {first}, {second}};
    (seed % 4 < 2 ? h.a : h.b)->nat.prediction = false;
    h.w.start_all();
    if (!h.w.run_until([&] { return h.relayed(); }, 10s)) return "not connected";
    h.w.run_for(30s);
    if (!h.relayed()) return "not on the relay";
    for (const Host* host : {h.a, h.b}) {
      if (host->snapshot().further_sockets != 0) return "sockets were opened";
      for (const auto& e : host->all<event::TraversalStarted>())
        if (e.method == TraversalMethod::prediction || e.method == TraversalMethod::birthday) return "it was tried";
    }
    return broken_rule(h.w);
  });
}

TEST_CASE("a hundred rounds leave no socket behind") {
  for (std::uint64_t seed = 1; seed <= std::min(seeds(), 4U); ++seed) {
    const auto& [first, second] = kFurther[seed % kFurther.size()];
    Direct d{seed, first, second};
    REQUIRE(d.up);
    Faults faults{d.w};
    std::size_t most = 0;
    const auto rounds = [&] { return d.b->count<event::TraversalEnded>(); };
    for (int i = 0; i < 400 && rounds() < 100; ++i) {
      faults.inflict({.kind = FaultKind::nat_reboot, .host = 2, .other = {}, .router = d.routers[1], .amount = 0, .lasts = 1s});
      d.w.run_for(25s);
      most = std::max(most, d.b->further().size());
      const std::string wrong = broken_rule(d.w);
      INFO("seed " << seed << ", after " << rounds() << " rounds: " << wrong);
      REQUIRE(wrong.empty());
    }
    CHECK(rounds() >= 100);
    d.w.run_for(3min);
    CHECK(d.sockets() == "");
    CHECK(d.b->further().size() <= d.b->snapshot().further_sockets + 12);  // and what measures the NAT
  }
}
