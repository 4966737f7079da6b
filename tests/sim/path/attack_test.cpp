// Whoever reads, copies, delays and forges packets between two ends moves nothing, and makes them send little.
#include <catch2/catch_test_macros.hpp>

#include "sim/path/ends.hpp"

namespace pw::path {
namespace {

constexpr std::uint64_t kSeeds = 50;

/// Stands on the direct path: sees all that the ends send each other over it.
class Tap : public net::Observer {
 public:
  explicit Tap(Ends& ends) : ends_{ends} { ends_.net.add_observer(*this); }
  ~Tap() override { ends_.net.remove_observer(*this); }
  void sent(Instant, const net::Machine&, const net::Packet& p) override {
    if (p.destination.ip == net::ip("9.1.0.66")) ++to_mallory, mallorys_bytes += p.payload.size();
    const bool own = p.source.ip == ends_.a.address().ip || p.source.ip == ends_.b.address().ip;
    if (own && (p.destination == ends_.a.address() || p.destination == ends_.b.address())) seen.push_back(p);
  }
  std::vector<net::Packet> seen;
  std::size_t to_mallory = 0;
  std::size_t mallorys_bytes = 0;

 private:
  Ends& ends_;
};

struct Attacked {
  explicit Attacked(std::uint64_t seed) : ends{seed}, mallory{ends.net, ends.direct, "mallory", "9.1.0.66"}, tap{ends} {
    ends.start_direct();
    mark();
  }
  void mark() {
    before_a = ends.a.sending;
    before_b = ends.b.sending;
    ends.a.events.clear();
    ends.b.events.clear();
    tap.seen.clear();
  }
  /// Nothing moved and nothing was learnt.
  void check_unmoved() {
    CHECK(ends.a.sending == before_a);
    CHECK(ends.b.sending == before_b);
    for (End* end : {&ends.a, &ends.b}) {
      CHECK(end->set.paths() == 2);
      CHECK(end->told<PathProved>().empty());
      CHECK(end->told<SendingPathChanged>().empty());
      CHECK(end->told<HealthChanged>().empty());
    }
  }
  Ends ends;
  net::Recorder mallory;
  Tap tap;
  std::vector<PathAddress> before_a;
  std::vector<PathAddress> before_b;
};

TEST_CASE("checks that are replayed from elsewhere are refused, and nothing at all is sent there") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Attacked t{seed};
    t.ends.run(20s);
    const auto copies = t.tap.seen;
    REQUIRE(copies.size() > 40);
    for (int times = 0; times < 5; ++times) {
      for (const net::Packet& p : copies) t.mallory.send(p.destination, as_text(p.payload));
      t.ends.run(7s);
    }
    CHECK(t.mallory.got.empty());
    CHECK(t.tap.to_mallory == 0);
    CHECK(t.ends.a.refused(Refusal::replayed) > 20);
    CHECK(t.ends.b.refused(Refusal::replayed) > 20);
    CHECK(t.ends.a.refused(Refusal::unknown_transaction) > 20);
    t.check_unmoved();
  }
}

TEST_CASE("copies that come from elsewhere before their originals move nothing, and few packets are sent there") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    Attacked t{seed};
    t.ends.a.send_every(20ms);  // so that there are many checks
    constexpr int kSeconds = 60;
    std::size_t copies = 0;
    std::size_t bytes = 0;
    for (int i = 0; i < kSeconds * 500; ++i) {
      t.ends.run(2ms);
      for (const net::Packet& p : std::exchange(t.tap.seen, {})) {
        if (p.destination != t.ends.b.address() || p.payload.at(0) != 0) continue;
        // Each seems to come from another port.
        t.ends.b.machine().inject({net::ip("9.1.0.66"), static_cast<std::uint16_t>(1000 + i)}, kPort, p.payload);
        ++copies;
        bytes += p.payload.size();
      }
    }
    t.check_unmoved();
    CHECK(copies > kSeconds * 5);
    const double answers = Set::kStrangersBurst + Set::kStrangersPerSecond * kSeconds;
    const double checks = Candidates::kTriggeredBurst + Candidates::kTriggeredPerSecond * kSeconds;
    INFO(copies << " copies, " << t.tap.to_mallory << " packets back");
    CHECK(static_cast<double>(t.tap.to_mallory) <= answers + checks);
    CHECK(static_cast<double>(t.tap.to_mallory) <= static_cast<double>(copies) + checks);
    CHECK(static_cast<double>(t.tap.mallorys_bytes) <= static_cast<double>(bytes) + checks * kSmallSize);
    CHECK(t.ends.b.set.candidates() <= Candidates::kMax);
  }
}

TEST_CASE("packets that are thrown back at their sender verify nowhere") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Attacked t{seed};
    t.ends.run(10s);
    for (const net::Packet& p : t.tap.seen) {
      End& sender = p.source == t.ends.a.address() ? t.ends.a : t.ends.b;
      sender.machine().inject(p.destination, kPort, p.payload);
      t.mallory.send(p.source, as_text(p.payload));
    }
    t.ends.run(5s);
    CHECK(t.ends.a.refused(Refusal::unknown_user) > 10);
    CHECK(t.ends.a.refused(Refusal::unknown_transaction) > 10);
    CHECK(t.mallory.got.empty());
    t.check_unmoved();
  }
}

TEST_CASE("an answer that comes from elsewhere than where the question went proves nothing") {
  Attacked t{1};
  t.ends.both(t.ends.direct, [](net::Link& l) { l.up = false; });
  t.ends.run(30s);
  REQUIRE(t.ends.a.set.sending_kind() == PathKind::relay_quic);
  // The direct path is dead, but whoever stands on it carries a's checks to b, and the answers back under his own
  // address.
  t.mark();
  for (int i = 0; i < 3000; ++i) {
    t.ends.run(10ms);
    for (const net::Packet& p : std::exchange(t.tap.seen, {})) {
      const bool request = p.payload.at(0) == 0 && p.payload.at(1) == 1;
      if (request && p.source == t.ends.a.address()) t.ends.b.machine().inject(p.source, kPort, p.payload);
      if (!request && p.source == t.ends.b.address()) t.mallory.send(p.destination, as_text(p.payload));
    }
  }
  CHECK(t.ends.a.refused(Refusal::wrong_source) > 3);
  CHECK(t.ends.a.path(PathKind::direct_v4)->path.health == PathHealth::dead);
  CHECK(t.ends.a.set.sending_kind() == PathKind::relay_quic);
}

TEST_CASE("damaged checks do nothing") {
  Attacked t{1};
  t.ends.run(10s);
  Rng rng = t.ends.net.rng_for("damage");
  const auto copies = t.tap.seen;
  for (int times = 0; times < 20; ++times) {
    for (net::Packet p : copies) {
      p.payload.at(rng.below(p.payload.size())) ^= static_cast<std::uint8_t>(1U << rng.below(8));
      t.mallory.send(p.destination, as_text(p.payload));
    }
    t.ends.run(1s);
  }
  CHECK(t.mallory.got.empty());
  t.check_unmoved();
}

}  // namespace
}  // namespace pw::path
