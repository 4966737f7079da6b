// What plain programs can reach through pairs of NATs: by punching at once, by predicting ports, by a search with many
// sockets; what an early probe spoils, and what a short opener mends. Whatever traverses NATs later is held to this.
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "sim/net/puncher.hpp"
#include "sim/net/statistics.hpp"

namespace pw::net {
namespace {

/// Who connects, in the form of the matrix, with `yes` where every seed did, "." where none did.
std::array<std::string, kPlaces> outcomes(Method method, char yes, int seeds) {
  std::array<std::string, kPlaces> all;
  for (std::size_t a = 0; a < kPlaces; ++a)
    for (std::size_t b = 0; b < kPlaces; ++b) {
      int connected = 0;
      for (int seed = 0; seed < seeds; ++seed)
        connected += Pair{static_cast<Place>(a), static_cast<Place>(b),
                          {.method = method, .seed = static_cast<std::uint64_t>(seed)}}
                         .connects();
      all[a] += connected == seeds ? yes : connected == 0 ? '.' : '?';
    }
  return all;
}

std::array<std::string, kPlaces> expected(std::string_view kinds, char yes) {
  std::array<std::string, kPlaces> all;
  for (std::size_t a = 0; a < kPlaces; ++a)
    for (const char c : kMatrix[a]) all[a] += kinds.find(c) != kinds.npos ? yes : '.';
  return all;
}

}  // namespace

TEST_CASE("plain simultaneous punching connects within a second exactly where the matrix says so") {
  CHECK(outcomes(Method::plain, 'P', 5) == expected("P", 'P'));
}

TEST_CASE("predicting the next port connects where plain punching does, and where ports are given in steps") {
  CHECK(outcomes(Method::predicting, 'S', 5) == expected("PS", 'S'));
}

// ---- early probes

namespace {

/// The second one is told a while later, when the first one's probes have long come to its NAT.
bool connects_late(Pair::Conditions c, Place place = Place::apdf) {
  c.late = 100ms;
  int connected = 0;
  constexpr int kSeeds = 6;
  for (int seed = 0; seed < kSeeds; ++seed) {
    c.seed = static_cast<std::uint64_t>(seed);
    connected += Pair{place, place, c}.connects();
  }
  CHECK((connected == 0 || connected == kSeeds));
  return connected > 0;
}

}  // namespace

TEST_CASE("a probe that comes early spoils punching where the router's input accepts, and nowhere else") {
  CHECK(connects_late({}));
  CHECK_FALSE(connects_late({.input_accepts = true}));
  CHECK_FALSE(connects_late({.input_accepts = true}, Place::carrier));
  // Where the other side's filter lets any port of the address in, the stolen one's successor serves.
  CHECK(connects_late({.input_accepts = true}, Place::adf));
  CHECK(connects_late({.input_accepts = true}, Place::eif));
}

TEST_CASE("who punches at the same time comes through routers whose input accepts") {
  CHECK(Pair{Place::apdf, Place::apdf, {.input_accepts = true}}.connects());
}

TEST_CASE("an opener that dies between the NATs protects from early probes") {
  CHECK(connects_late({.method = Method::opening, .opener_ttl = 2, .input_accepts = true}));
  CHECK(connects_late({.method = Method::opening, .hops = 5, .opener_ttl = 6, .input_accepts = true}));
  CHECK(connects_late({.method = Method::opening, .opener_ttl = 3, .input_accepts = true}, Place::carrier));
}

TEST_CASE("an opener that dies at its own NATs protects from nothing") {
  CHECK_FALSE(connects_late({.method = Method::opening, .opener_ttl = 1, .input_accepts = true}));
  CHECK_FALSE(connects_late({.method = Method::opening, .opener_ttl = 2, .input_accepts = true}, Place::carrier));
}

TEST_CASE("an opener that comes as far as the other NAT is an early probe itself, with no TTL left to go on") {
  CHECK_FALSE(connects_late({.method = Method::opening, .hops = 0, .opener_ttl = 2, .input_accepts = true}));
  CHECK_FALSE(connects_late({.method = Method::opening, .hops = 1, .opener_ttl = 3, .input_accepts = true}));
  CHECK(connects_late({.method = Method::opening, .hops = 0, .opener_ttl = 2}));
}

// ---- behind one NAT

namespace {

/// Two behind one NAT know each other by outer addresses only. `nested`: each has a NAT of its own in between.
bool connects_behind_one(const NatOptions& options, bool nested) {
  Net net{1};
  Segment& core = net.add_segment("core", Link{.delay = Pair::kDelay});
  Rendezvous rendezvous{net, core, 0s};
  Router& router = net.add_router("router", {.nat = options, .firewall = {}, .port_mapper = {}});
  Segment& inside = net.add_segment("inside");
  router.attach_outer(core, {ip("9.1.0.1")});
  router.attach_inner(inside, {ip("100.64.0.1")});
  std::array<std::unique_ptr<Puncher>, 2> punchers;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string n = std::to_string(i + 2);
    Segment* lan = &inside;
    if (nested) {
      Router& home = net.add_router("home " + n, {.nat = NatOptions{}, .firewall = {}, .port_mapper = {}});
      home.attach_outer(inside, {ip("100.64.0." + n)});
      lan = &net.add_segment("lan " + n);
      home.attach_inner(*lan, {ip("10.0.0.1")});
    }
    punchers[i] = std::make_unique<Puncher>(net, *lan, i, (nested ? "10.0.0." : "100.64.0.") + n, Method::plain);
    punchers[i]->start(rendezvous);
  }
  net.run_until(net.now() + 2s);
  return punchers[0]->connected && punchers[1]->connected;
}

}  // namespace

TEST_CASE("two behind one NAT meet at their outer addresses if it hairpins") {
  for (const bool nested : {false, true}) {
    INFO(nested);
    NatOptions o;
    CHECK(connects_behind_one(o, nested));
    o.hairpin = Hairpin::none;
    CHECK_FALSE(connects_behind_one(o, nested));
  }
}

TEST_CASE("a hairpin that shows inner sources serves neighbours, but not those with a NAT of their own") {
  NatOptions o;
  o.hairpin = Hairpin::internal_source;
  CHECK(connects_behind_one(o, false));
  CHECK_FALSE(connects_behind_one(o, true));  // their filters await the outer address
}

TEST_CASE("two behind one NAT whose ports differ for each remote don't meet by plain punching, hairpin or not") {
  CHECK_FALSE(connects_behind_one(nat_at(Place::random), false));
  CHECK_FALSE(connects_behind_one(nat_at(Place::random), true));
}

// ---- a port that was mapped by request

TEST_CASE("a mapped port behind a hard NAT is reached from everywhere, if its host lets the other begin") {
  for (std::size_t other = 0; other + 1 < kPlaces; ++other) {
    INFO(name(static_cast<Place>(other)));
    Pair pair{Place::random, static_cast<Place>(other), {}};
    Puncher& guest = *pair.punchers[1];
    Recorder host{pair.net, pair.lan(0), "host", "10.0.0.9"};
    host.on_arrival = [&](Instant, const Arrival& a) { host.send(a.path.remote, "answer"); };
    const auto mapped = pair.router(0).nat()->map(pair.net.now(), host.address(), Protocol::udp, 9470, kNever);
    REQUIRE(mapped);
    guest.aim(*mapped);
    guest.probe(pair.net.now());
    pair.net.run_until(pair.net.now() + 1s);
    CHECK(guest.connected);
  }
}

TEST_CASE("what the host of a mapped port sends first leaves by another port, which the other's filter stops") {
  Pair pair{Place::random, Place::apdf, {}};
  Puncher& guest = *pair.punchers[1];
  Recorder host{pair.net, pair.lan(0), "host", "10.0.0.9"};
  const auto mapped = pair.router(0).nat()->map(pair.net.now(), host.address(), Protocol::udp, 9470, kNever);
  guest.aim(*mapped);
  guest.start(pair.rendezvous);
  pair.net.run_until(pair.net.now() + 50ms);
  const SocketAddress seen = pair.rendezvous.seen[1][0];
  host.send(seen, "probe");
  pair.net.run_until(pair.net.now() + 1s);
  CHECK(guest.targets.size() == 1);
  CHECK(pair.router(0).nat()->outer_of(pair.net.now(), host.address(), seen) != *mapped);
}

// ---- arithmetic of searches

namespace {

/// 1 − C(N−K, M) / C(N, M): that M distinct probes of N ports hit one of K.
double birthday(int ports, int sockets, int probes) {
  double missed = 1;
  for (int i = 0; i < probes; ++i) missed *= static_cast<double>(ports - sockets - i) / (ports - i);
  return 1 - missed;
}

/// So many sockets behind a NAT of random ports send to one remote, which then probes so many of its ports.
bool search_hits(std::uint64_t seed, int sockets, int probes) {
  NatOptions options = nat_at(Place::random);
  NatBox nat{options, {ip("9.1.0.1")}, Rng{seed}};
  const SocketAddress remote{ip("9.2.0.1"), 9470};
  const Instant now{1h};
  Packet packet;
  for (int i = 0; i < sockets; ++i) {
    packet.source = {ip("10.0.0.2"), static_cast<std::uint16_t>(30000 + i)};
    packet.destination = remote;
    PW_CHECK(nat.from_inside(now, packet).way == NatBox::Way::out);
  }
  Rng rng{seed + 1'000'000};
  std::vector<bool> tried(65536);
  for (int i = 0; i < probes;) {
    const auto port = static_cast<std::uint16_t>(options.first_port + rng.below(65536U - options.first_port));
    if (tried[port]) continue;
    tried[port] = true;
    ++i;
    packet.source = remote;
    packet.destination = {ip("9.1.0.1"), port};
    if (nat.from_outside(now, packet).way == NatBox::Way::in) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a birthday search hits as often as its arithmetic says") {
  CHECK(std::abs(birthday(64512, 84, 700) - 0.600) < 0.001);
  CHECK(std::abs(birthday(64512, 256, 1024) - 0.9835) < 0.0005);
  constexpr int kRuns = 600;
  for (const auto& [sockets, probes] : {std::pair{84, 700}, {256, 256}, {256, 512}}) {
    std::size_t hits = 0;
    for (int run = 0; run < kRuns; ++run) hits += search_hits(static_cast<std::uint64_t>(run), sockets, probes);
    INFO(sockets << " sockets, " << probes << " probes: " << hits << " of " << kRuns);
    CHECK(share_is(hits, kRuns, birthday(64512, sockets, probes)));
  }
}

namespace {

/// Flows of others that begin at random times behind the first puncher's NAT.
struct Strangers {
  Strangers(Pair& p, double rate, std::uint64_t seed)
      : pair{p}, a_second{rate}, rng{seed + 1'000'000}, machine{pair.net, pair.lan(0), "strangers", "10.0.0.77"} {
    next();
  }
  void next() {
    const Duration wait = from_seconds(-std::log(1 - rng.unit()) / a_second);
    pair.net.at(pair.net.now() + wait, [this] {
      machine.send({ip("9.0.0.1"), ++flows}, "a new flow");
      next();
    });
  }
  Pair& pair;
  double a_second;
  Rng rng;
  Recorder machine;
  std::uint16_t flows = 10000;
};

/// A Poisson variable is below `window`.
double few(double mean, int window) {
  double term = std::exp(-mean);
  double sum = 0;
  for (int k = 0; k < window; ++k, term *= mean / k) sum += term;
  return sum;
}

std::size_t predictions(double rate, int runs) {
  std::size_t hits = 0;
  for (int run = 0; run < runs; ++run) {
    const auto seed = static_cast<std::uint64_t>(run);
    Pair pair{Place::sequential, Place::apdf, {.method = Method::predicting, .seed = seed}};
    pair.core.default_link.delay = 100ms;
    Strangers strangers{pair, rate, seed};
    pair.net.run_until(pair.net.now() + 200ms);
    hits += pair.connects(2s);
  }
  return hits;
}

}  // namespace

TEST_CASE("prediction succeeds as often as fewer strangers than its window begin flows between sample and probe") {
  constexpr int kRuns = 400;
  CHECK(predictions(10, kRuns) == kRuns);  // misses once in 10^13
  const std::size_t hits = predictions(100, kRuns);
  INFO(hits << " of " << kRuns);
  CHECK(share_is(hits, kRuns, few(100 * 0.2, Puncher::kWindow)));
}

}  // namespace pw::net
