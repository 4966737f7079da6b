// The birthday search: which ports are searched, with how many sockets, how fast, and how far.
#include "nat/birthday.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <set>

#include "unit/nat/punch_rig.hpp"

namespace pw::nat {

using Kind = PunchMessage::Kind;

TEST_CASE("few samples, or samples far apart, mean all ports; near ones the range around them") {
  CHECK(infer_range({}) == PortRange{1024, 65535});
  CHECK(infer_range({5000, 5001, 5002}) == PortRange{1024, 65535});
  CHECK(infer_range({2000, 60000, 30000, 40000}) == PortRange{1024, 65535});
  CHECK(infer_range({5000, 5350, 5100, 5200, 5150, 5700, 5600, 5500}) == PortRange{4800, 5900});
  CHECK(infer_range({5, 6, 7, 8}) == PortRange{1, 72});
  CHECK(infer_range({65535, 65530, 65532, 65533}) == PortRange{65466, 65535});
  Rng rng{1};
  int covered = 0;
  for (int run = 0; run < 2000; ++run) {
    std::vector<std::uint16_t> samples;
    for (int i = 0; i < 8; ++i) samples.push_back(static_cast<std::uint16_t>(40000 + rng.below(1024)));
    const PortRange r = infer_range(samples);
    REQUIRE(r.size() < 2048);
    covered += std::min<int>(r.last, 41023) - std::max<int>(r.first, 40000) + 1;
  }
  CHECK(covered / 2000.0 > 0.95 * 1024);  // what is missed at the ends holds few of the sockets
}

TEST_CASE("a small range needs few sockets, and still ten seconds find one in all ranges") {
  CHECK(sockets_for({1024, 65535}, 256) == 256);
  CHECK(sockets_for({40000, 41023}, 256) == 32);
  CHECK(sockets_for({40000, 40010}, 256) == 1);
  for (std::uint32_t n = 64; n <= 64512; n *= 2) {
    const PortRange range{1024, static_cast<std::uint16_t>(1023 + n)};
    const double k = sockets_for(range, 256);
    const double probes = std::min(n, 2000U);
    CHECK(1 - std::exp(-k * probes / n) > 0.86);
  }
  CHECK(1 - std::exp(-256.0 * 1900 / 64512) > 0.999);
}

TEST_CASE("a port search tries each port of its range once, in an order that looks like none") {
  PortSearch search{{1000, 1999}, Rng{5}};
  std::set<std::uint16_t> seen;
  int ascending = 0;
  std::uint16_t last = 0;
  while (const auto port = search.next()) {
    CHECK((*port >= 1000 && *port <= 1999));
    seen.insert(*port);
    ascending += *port > last;
    last = *port;
  }
  CHECK(seen.size() == 1000);
  CHECK((ascending > 400 && ascending < 600));
  PortSearch whole{{1, 65535}, Rng{5}};
  CHECK(whole.next());
}

TEST_CASE("a hard end samples eight ports, tells the range, and opens from 256 sockets at the pace of checks") {
  PunchRig rig{Method::birthday, Role::hard, Role::easy, false};
  rig.begin();
  CHECK(rig.asked.size() == 8);
  CHECK(rig.opened.size() == 8);
  for (std::size_t i = 0; i < 8; ++i) rig.answer(static_cast<std::uint16_t>(2000 + 7000 * i), i);
  CHECK(rig.last() == PunchMessage{.kind = Kind::sample, .round = 3, .first = 1024, .step = 1, .count = 64512});
  CHECK(rig.open() == 256);
  rig.run_until(rig.now + 2s);
  std::set<Via> vias;
  for (const auto& s : rig.orders) {
    if (s.order.path.via == Via::own) continue;
    CHECK(s.order.path.remote == at("192.0.2.9:9470"));
    CHECK(s.order.ttl == 2);  // none may reach the other NAT before its probe has left
    vias.insert(s.order.path.via);
  }
  CHECK(vias.size() == 256);
}

TEST_CASE("a hard end in a block of ports opens few sockets; one without answers takes all ports") {
  PunchRig rig{Method::birthday, Role::hard, Role::easy, false};
  rig.begin();
  for (std::size_t i = 0; i < 8; ++i) rig.answer(static_cast<std::uint16_t>(40000 + 130 * i), i);
  CHECK(rig.last().first == 39740);
  CHECK(rig.last().count == 910 + 2 * 260 + 1);
  CHECK(rig.open() == (910 + 2 * 260 + 1) / 32);
  PunchRig silent{Method::birthday, Role::hard, Role::easy, false};
  silent.begin();
  silent.run_until(silent.now + 800ms);
  CHECK(silent.asked.size() == 24);
  CHECK(silent.last().count == 64512);
  PunchRig alone{Method::birthday, Role::hard, Role::easy, false};
  alone.task.servers.clear();
  alone.begin();
  CHECK(alone.last().count == 64512);
  CHECK(alone.open() == 256);
}

TEST_CASE("an easy end probes two hundred ports a second, each once, up to its number, of the observed address only") {
  PunchRig rig{Method::birthday, Role::easy, Role::hard, false};
  rig.options.timeout = 10s;
  rig.begin();
  rig.run_until(rig.now + 8s);  // plain checks are over
  rig.orders.clear();
  const Instant began = rig.now;
  CHECK(rig.hear({.kind = Kind::sample, .first = 1024, .step = 1, .count = 64512}));
  rig.run_until(began + 1s);
  CHECK(rig.orders.size() == 201);
  std::set<std::uint16_t> ports;
  for (const auto& s : rig.orders) {
    CHECK(s.order.path.remote.ip == at("192.0.2.9:1").ip);
    CHECK(s.order.path.via == Via::own);
    ports.insert(s.order.path.remote.port);
  }
  CHECK(ports.size() == 201);
  PunchRig full{Method::birthday, Role::easy, Role::hard, false};
  full.options.timeout = 10s;
  full.options.search_timeout = 60s;
  full.begin();
  full.run_until(full.now + 8s);
  full.orders.clear();
  full.hear({.kind = Kind::sample, .first = 1024, .step = 1, .count = 64512});
  full.run_until(full.now + 30s);
  CHECK(full.orders.size() == 2048);
}

TEST_CASE("an easy end stops probing when the other has proved a path, or when all ports are tried") {
  PunchRig rig{Method::birthday, Role::easy, Role::hard, false};
  rig.begin();
  rig.hear({.kind = Kind::ready});
  rig.hear({.kind = Kind::sample, .first = 1024, .step = 1, .count = 64512});
  rig.run_until(rig.now + 1s);
  rig.hear({.kind = Kind::done});
  const auto before = rig.orders.size();
  rig.run_until(rig.now + 1900ms);
  CHECK(rig.orders.size() <= before + 6);
  PunchRig small{Method::birthday, Role::easy, Role::hard, false};
  small.begin();
  small.hear({.kind = Kind::sample, .first = 5000, .step = 1, .count = 20});
  small.run_until(small.now + 14s);
  std::size_t probes = 0;
  for (const auto& s : small.orders) probes += s.order.path.remote.port >= 5000 && s.order.path.remote.port < 5020;
  CHECK(probes == 20);
  small.run_until(small.now + 2s);
  CHECK(small.punch->end()->failure == PunchFailure::timeout);
}

TEST_CASE("ranges that are none are refused") {
  PunchRig rig{Method::birthday, Role::easy, Role::hard, false};
  rig.begin();
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 0, .step = 1, .count = 5}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 1024, .step = 2, .count = 5}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 1024, .step = 1, .count = 0}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 1024, .step = 1, .count = 64513}));
  CHECK_FALSE(rig.hear({.kind = Kind::sample, .first = 1024, .step = 1, .count = 0xffffffff}));
  CHECK(rig.hear({.kind = Kind::sample, .first = 65535, .step = 1, .count = 1}));
}

TEST_CASE("no round sends more to one address, or in all, than its caps") {
  for (const bool many : {false, true}) {
    PunchRig rig{Method::birthday, Role::easy, Role::hard, false};
    rig.options.probes = 100000;
    rig.options.search_timeout = 60s;
    for (int i = 0; many && i < 14; ++i)
      rig.task.theirs.push_back({CandidateKind::host, at("10.0.1." + std::to_string(i + 1) + ":9470"), Via::own, 1});
    rig.begin();
    rig.hear({.kind = Kind::sample, .first = 1024, .step = 1, .count = 64512});
    rig.run_until(rig.now + 60s);
    std::map<IpAddress, unsigned> sent;
    for (const auto& s : rig.orders) ++sent[s.order.path.remote.ip];
    for (const auto& [ip, n] : sent) CHECK(n <= Punch::kMaxToAddress);
    CHECK((many || sent[at("192.0.2.9:1").ip] == Punch::kMaxToAddress));
    CHECK((rig.orders.size() == Punch::kMaxPackets) == many);
    CHECK(rig.orders.size() <= Punch::kMaxPackets);
    CHECK(rig.punch->packets() == rig.orders.size());
    CHECK(rig.punch->end()->failure == PunchFailure::budget);
  }
}

TEST_CASE("who never tells where to search holds the node's one search no longer than a round without") {
  PunchRig rig{Method::birthday, Role::easy, Role::hard, false};
  rig.begin();
  CHECK(rig.search.taken());
  rig.run_until(rig.now + rig.options.timeout);
  REQUIRE(rig.punch->end());
  CHECK(rig.punch->end()->failure == PunchFailure::coordination);
  CHECK_FALSE(rig.search.taken());
}

TEST_CASE("a hard end begins no further flow once the other has proved a path") {
  PunchRig rig{Method::birthday, Role::hard, Role::easy, false};
  rig.begin();
  rig.run_until(rig.now + 1200ms);  // unanswered questions are given up, openers begin
  const auto opened = [&] { return std::ranges::count_if(rig.orders, [](const auto& s) { return s.order.path.via != Via::own; }); };
  const auto before = opened();
  CHECK(before > 0);
  CHECK(before < 250);
  CHECK(rig.hear({.kind = Kind::done}));
  rig.run_until(rig.now + 1s);
  CHECK(opened() == before);
}

}  // namespace pw::nat
