// What one direction of a link does to packets is what its conditions say. Statistics: statistics.hpp.
#include "sim/net/link.hpp"

#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <numeric>

#include "sim/net/statistics.hpp"

using namespace pw;
using namespace pw::net;

namespace {

constexpr Instant kBegin{1h};
constexpr std::size_t kMany = 40000;

Packet packet_of(std::size_t size) {
  Packet p;
  p.payload.assign(size - 28, 0);
  REQUIRE(p.size() == size);
  return p;
}

/// `n` packets of 100 bytes, one a microsecond.
std::vector<Wire::Outcome> carry(Wire& wire, std::size_t n, Duration apart = 1us) {
  std::vector<Wire::Outcome> all;
  for (std::size_t i = 0; i < n; ++i) {
    Packet p = packet_of(100);
    all.push_back(wire.carry(kBegin + apart * static_cast<int>(i), p));
  }
  return all;
}

std::size_t lost(const std::vector<Wire::Outcome>& all) {
  return static_cast<std::size_t>(std::ranges::count(all, std::optional{Drop::lost}, &Wire::Outcome::drop));
}

}  // namespace

TEST_CASE("a link's delay is exact") {
  Wire wire{Link{.delay = 12345678ns}, Rng{1}};
  for (const auto& o : carry(wire, 100, 0us)) {
    CHECK(!o.drop);
    CHECK(!o.again);
    CHECK(o.at == kBegin + 12345678ns);
  }
}

TEST_CASE("jitter is uniform from nothing to all of it, and packets overtake one another") {
  const auto seed = GENERATE(range(1U, 9U));
  Wire wire{Link{.delay = 5ms, .jitter = 4ms}, Rng{seed}};
  std::vector<double> share;
  std::size_t overtaken = 0;
  Instant before{};
  const auto all = carry(wire, kMany);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Duration extra = all[i].at - (kBegin + 1us * static_cast<int>(i)) - 5ms;
    share.push_back(to_seconds(extra) / to_seconds(4ms));
    overtaken += all[i].at < before;
    before = all[i].at;
  }
  CHECK(uniform(share));
  CHECK(overtaken > kMany / 3);
}

TEST_CASE("in order, no packet arrives before the one that was sent before it") {
  Wire wire{Link{.delay = 5ms, .jitter = 4ms, .in_order = true, .duplicate = 0.1}, Rng{2}};
  Instant before{};
  Instant latest_free{};  // what the delay and jitter alone allow
  const auto all = carry(wire, 2000);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& o = all[i];
    CHECK(o.at >= before);
    CHECK((!o.again || *o.again >= o.at));
    before = o.at;
    latest_free = kBegin + 1us * static_cast<int>(i) + 9ms;
    CHECK(o.at <= latest_free);
  }
}

TEST_CASE("packets are lost independently with the probability declared") {
  const auto seed = GENERATE(range(1U, 6U));
  const double p = GENERATE(0.01, 0.1, 0.5);
  Wire wire{Link{.loss = p}, Rng{seed}};
  const auto all = carry(wire, kMany);
  CHECK(share_is(lost(all), kMany, p));
  // Independent: a packet after a lost one is lost no more often than any.
  std::size_t after_loss = 0;
  std::size_t both = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (!all[i - 1].drop) continue;
    ++after_loss;
    both += all[i].drop.has_value();
  }
  if (p >= 0.1) CHECK(share_is(both, after_loss, p));
}

TEST_CASE("a loss of 1 loses everything and a loss of 0 nothing") {
  Wire all{Link{.loss = 1}, Rng{1}};
  CHECK(lost(carry(all, 1000)) == 1000);
  Wire none{Link{.delay = 1ms}, Rng{1}};
  CHECK(lost(carry(none, 1000)) == 0);
}

TEST_CASE("losses come in bursts of the length and share that Gilbert and Elliott give them") {
  const auto seed = GENERATE(range(1U, 6U));
  const Bursts bursts{.enter = 0.01, .leave = 0.2};
  constexpr std::size_t kPackets = 200000;
  Wire wire{Link{.bursts = bursts}, Rng{seed}};
  const auto all = carry(wire, kPackets);

  const double share = bursts.enter / (bursts.enter + bursts.leave);
  // The losses of neighbours are correlated by `memory`; that makes the mean's variance larger by this factor.
  const double memory = 1 - bursts.enter - bursts.leave;
  const double deviation = std::sqrt(share * (1 - share) * (1 + memory) / (1 - memory));
  CHECK(mean_is(static_cast<double>(lost(all)) / kPackets, kPackets, share, deviation));

  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].drop) continue;
    if (i == 0 || !all[i - 1].drop) lengths.push_back(0);
    ++lengths.back();
  }
  double mean = 0;
  for (const std::size_t l : lengths) mean += static_cast<double>(l) / static_cast<double>(lengths.size());
  CHECK(mean_is(mean, lengths.size(), 1 / bursts.leave, std::sqrt(1 - bursts.leave) / bursts.leave));
  // Geometric, not only right on average: a burst ends at once with probability `leave`.
  const auto single = static_cast<std::size_t>(std::ranges::count(lengths, std::size_t{1}));
  CHECK(share_is(single, lengths.size(), bursts.leave));
}

TEST_CASE("inside a burst some packets pass, if it says so") {
  const auto seed = GENERATE(range(1U, 6U));
  Wire wire{Link{.bursts = {.enter = 1, .leave = 0, .loss = 0.7}}, Rng{seed}};
  CHECK(share_is(lost(carry(wire, kMany)), kMany, 0.7));
}

TEST_CASE("a burst that is called off in its middle is over when bursts come back") {
  Wire wire{Link{.bursts = {.enter = 1, .leave = 0}}, Rng{1}};
  CHECK(lost(carry(wire, 10)) == 10);
  wire.link.bursts = {};
  CHECK(lost(carry(wire, 10)) == 0);
}

TEST_CASE("packets are held back, doubled and damaged as often as declared, each by itself") {
  const auto seed = GENERATE(range(1U, 6U));
  Wire wire{Link{.delay = 1ms, .reorder = 0.2, .reorder_by = 7ms, .duplicate = 0.1, .corrupt = 0.3}, Rng{seed}};
  std::size_t held = 0;
  std::size_t doubled = 0;
  std::size_t damaged = 0;
  std::vector<double> where;
  for (std::size_t i = 0; i < kMany; ++i) {
    Packet p = packet_of(128);
    const auto o = wire.carry(kBegin, p);
    REQUIRE(!o.drop);
    const Duration late = o.at - kBegin;
    CHECK((late == 1ms || late == 8ms));
    held += late == 8ms;
    doubled += o.again.has_value();
    if (o.again) CHECK(*o.again == kBegin + 1ms);
    std::size_t bits = 0;
    for (std::size_t b = 0; b < p.payload.size(); ++b) {
      const auto flipped = static_cast<std::size_t>(std::popcount(p.payload[b]));
      bits += flipped;
      if (flipped == 1) where.push_back((static_cast<double>(b) + 0.5) / static_cast<double>(p.payload.size()));
    }
    CHECK(bits <= 1);
    damaged += bits;
  }
  CHECK(share_is(held, kMany, 0.2));
  CHECK(share_is(doubled, kMany, 0.1));
  CHECK(share_is(damaged, kMany, 0.3));
  // Anywhere in the payload; the discreteness of 100 bytes is half a percent.
  const double mean = std::accumulate(where.begin(), where.end(), 0.0) / static_cast<double>(where.size());
  CHECK(mean_is(mean, where.size(), 0.5, 0.289));
}

TEST_CASE("what is held back is out of line: in order, the packets behind it do not wait") {
  Wire wire{Link{.delay = 1ms, .in_order = true, .reorder = 1, .reorder_by = 50ms}, Rng{1}};
  Packet p = packet_of(100);
  CHECK(wire.carry(kBegin, p).at == kBegin + 51ms);
  wire.link.reorder = 0;
  CHECK(wire.carry(kBegin + 1ms, p).at == kBegin + 2ms);
}

TEST_CASE("a copy draws its own jitter") {
  Wire wire{Link{.jitter = 10ms, .duplicate = 1}, Rng{3}};
  std::vector<double> copies;
  std::size_t earlier_than_original = 0;
  for (const auto& o : carry(wire, 5000, 0us)) {
    REQUIRE(o.again);
    copies.push_back(to_seconds(*o.again - kBegin) / to_seconds(10ms));
    earlier_than_original += *o.again < o.at;
  }
  CHECK(uniform(copies));
  CHECK(share_is(earlier_than_original, 5000, 0.5));
}

TEST_CASE("a packet of the size of the MTU passes, and one byte more is gone") {
  const std::size_t mtu = GENERATE(576U, 1280U, 1500U);
  Wire wire{Link{.mtu = mtu}, Rng{1}};
  Packet fits = packet_of(mtu);
  Packet too_big = packet_of(mtu + 1);
  CHECK(!wire.carry(kBegin, fits).drop);
  CHECK(wire.carry(kBegin, too_big).drop == Drop::too_big);
}

TEST_CASE("a link that is down drops, and what was under way arrives") {
  Wire wire{Link{.delay = 1ms}, Rng{1}};
  Packet p = packet_of(100);
  CHECK(!wire.carry(kBegin, p).drop);
  wire.link.up = false;
  CHECK(wire.carry(kBegin, p).drop == Drop::link_down);
}

TEST_CASE("conditions that need no luck draw none, so that adding them shifts nothing") {
  Link plain{.loss = 0.3};
  Link more = plain;
  more.delay = 10ms;
  more.rate = 1e9;
  more.in_order = true;
  more.mtu = 1400;
  Wire a{plain, Rng{5}};
  Wire b{more, Rng{5}};
  const auto first = carry(a, 5000);
  const auto second = carry(b, 5000);
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i].drop == second[i].drop);
}
