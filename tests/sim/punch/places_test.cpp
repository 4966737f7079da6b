// Punching where the pair of NATs is not all that counts: early probes, one NAT in front of both, mapped ports, filters of
// hard NATs, a small budget.
#include <catch2/catch_test_macros.hpp>

#include "sim/punch/meeting.hpp"

namespace pw::net {
namespace {

constexpr int kSeeds = 10;

/// How many of kSeeds runs connect within a second, whoever begins.
template <class Make>
int connected(Make make, Duration within = 1s) {
  int n = 0;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const std::unique_ptr<Meeting> m = make(static_cast<std::uint64_t>(seed));
    m->run(static_cast<std::size_t>(seed) % 2);
    n += m->direct() && m->taken() <= within;
  }
  return n;
}

/// One end is told a while later than the other believes, behind routers whose input accepts.
int connected_late(Place a, Place b, std::uint8_t opener_ttl, Duration within = 1s) {
  return connected(
      [&](std::uint64_t seed) {
        auto m = std::make_unique<Meeting>(Front{.place = a, .input_accepts = true}, Front{.place = b, .input_accepts = true},
                                           MeetingConditions{.late = 150ms, .hops = 2, .seed = seed});
        for (auto& h : m->hosts) h->options.opener_ttl = opener_ttl;
        return m;
      },
      within);
}

}  // namespace

TEST_CASE("openers of low TTL protect from early probes where the other NAT's input accepts") {
  CHECK(connected_late(Place::apdf, Place::apdf, 2) == kSeeds);
  CHECK(connected_late(Place::apdf, Place::sequential, 2) == kSeeds);
  CHECK(connected_late(Place::sequential, Place::sequential, 2) == kSeeds);
  CHECK(connected_late(Place::apdf, Place::random, 2, 10s) == kSeeds);
}

TEST_CASE("an opener that reaches the other NAT is an early probe itself") {
  // Every second round is begun by the one whose messages are late; in the others the openers leave at the same time.
  CHECK(connected_late(Place::apdf, Place::apdf, 64, 17s) == kSeeds / 2);
}

TEST_CASE("two in one segment meet at their inner addresses, whatever their NAT does") {
  for (const Place place : {Place::apdf, Place::random}) {
    for (const Hairpin hairpin : {Hairpin::external_source, Hairpin::none}) {
      NatOptions o = nat_at(place);
      o.hairpin = hairpin;
      CHECK(connected([&](std::uint64_t s) {
              return std::make_unique<Meeting>(o, false, MeetingConditions{.seed = s});
            }) == kSeeds);
    }
  }
}

TEST_CASE("two homes behind one carrier's NAT meet if it hairpins, and otherwise give up after few packets") {
  NatOptions o;
  CHECK(connected([&](std::uint64_t s) { return std::make_unique<Meeting>(o, true, MeetingConditions{.seed = s}); }) ==
        kSeeds);
  for (const Place place : {Place::apdf, Place::random}) {
    o = nat_at(place);
    o.hairpin = place == Place::apdf ? Hairpin::none : Hairpin::external_source;
    Meeting m{o, true, {}};
    m.run();
    CHECK_FALSE(m.direct());
    for (const auto& h : m.hosts) {
      REQUIRE(h->punch->end());
      CHECK(h->punch->end()->failure == nat::PunchFailure::timeout);
      CHECK(h->sent <= 24);
    }
  }
}

TEST_CASE("a mapped port turns a hard NAT's side into a public one") {
  for (std::size_t place = 0; place + 1 < enum_count<Place>(); ++place) {
    INFO(name(static_cast<Place>(place)));
    CHECK(connected([&](std::uint64_t s) {
            return std::make_unique<Meeting>(Front{.place = Place::random, .mapped = true},
                                             Front{.place = static_cast<Place>(place)}, MeetingConditions{.seed = s});
          }) == kSeeds);
  }
}

TEST_CASE("two mapped ports behind hard NATs meet: one of them sends first") {
  for (const double loss : {0.0, 0.05})
    CHECK(connected(
              [&](std::uint64_t s) {
                const Front f{.place = Place::random, .mapped = true};
                return std::make_unique<Meeting>(f, f, MeetingConditions{.loss = loss, .seed = s});
              },
              5s) == kSeeds);
}

TEST_CASE("a hard NAT with one port for an address that admits all ports of it is found by search, from behind any other") {
  const Front open{.place = Place::adm, .filtering = Dependence::address_dependent};
  for (const Place other : {Place::adm, Place::sequential, Place::random}) {
    INFO(name(other));
    CHECK(connected([&](std::uint64_t s) { return std::make_unique<Meeting>(open, Front{.place = other}, MeetingConditions{.seed = s}); },
                    10s) == kSeeds);
  }
}

TEST_CASE("a carrier's NAT that gives ports from a block is searched in that block, with few sockets") {
  for (int seed = 1; seed <= kSeeds; ++seed) {
    Meeting m{{.place = Place::apdf}, {.place = Place::random, .first_port = 40000, .last_port = 41023}, {.seed = static_cast<std::uint64_t>(seed)}};
    m.run();
    CHECK(m.direct());
    CHECK(m.taken() <= 4s);
    CHECK(m.hosts[1]->most_sockets <= 100);
  }
}

TEST_CASE("two IPv4 hosts punch no address that is not the other's") {
  for (const Place other : {Place::apdf, Place::sequential, Place::random}) {
    Meeting m{{.place = Place::apdf}, {.place = other}, {}};
    m.run();
    for (std::size_t i = 0; i < 2; ++i)
      for (const SocketAddress& t : m.hosts[i]->targets)
        CHECK((t == m.hosts[1 - i]->address() || t.ip == m.hosts[1 - i]->outer->ip));
  }
}

TEST_CASE("a search keeps to the budget of packets, and says that it was too small") {
  Meeting m{{.place = Place::apdf}, {.place = Place::random}, {.budget = 10}};
  m.run();
  if (!m.direct()) CHECK(m.hosts[0]->punch->end()->failure == nat::PunchFailure::budget);
  for (const auto& h : m.hosts) CHECK(h->sent <= 50 + 10 * 18);
}

TEST_CASE("of two searches at once the second fails for its budget, and says so to the other end") {
  Meeting m{{.place = Place::apdf}, {.place = Place::random}, {}};
  REQUIRE(m.hosts[1]->search.take());
  m.run();
  CHECK_FALSE(m.direct());
  CHECK(m.hosts[1]->punch->end()->failure == nat::PunchFailure::budget);
  CHECK(m.hosts[0]->punch->end()->failure == nat::PunchFailure::coordination);
  CHECK(m.hosts[1]->search.taken());
  CHECK_FALSE(m.hosts[0]->search.taken());
}

TEST_CASE("no port is guessed of an address that nobody of ours has observed") {
  for (const Place other : {Place::sequential, Place::random}) {
    Meeting m{{.place = Place::apdf}, {.place = other}, {}};
    m.hosts[0]->task.observed = {ip("9.9.9.9")};
    m.run();
    CHECK_FALSE(m.direct());
    CHECK(m.hosts[0]->punch->end()->failure == nat::PunchFailure::infeasible);
    CHECK_FALSE(m.hosts[0]->punch->end()->detail.empty());
    CHECK(m.hosts[0]->sent == 0);
  }
}

TEST_CASE("whoever cancels a search ends it at both ends, and every socket is closed") {
  Meeting m{{.place = Place::apdf}, {.place = Place::random}, {}};
  m.hosts[0]->start();
  m.net.run_until(m.net.now() + 600ms);
  REQUIRE(m.hosts[1]->sockets() > 200);
  m.hosts[0]->cancel();
  m.net.run_until(m.net.now() + 100ms);
  for (const auto& h : m.hosts) {
    CHECK(h->punch->end()->result == nat::PunchResult::cancelled);
    CHECK(h->sockets() == 1);
    CHECK_FALSE(h->search.taken());
    const unsigned sent = h->sent;
    m.net.run_until(m.net.now() + 1s);
    CHECK(h->sent == sent);
  }
}

}  // namespace pw::net
