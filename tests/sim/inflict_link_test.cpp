// Faults of links: each does what it says, in the direction that it says, and nothing is left of it.
#include <catch2/catch_approx.hpp>
#include <cmath>

#include "sim/trio.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

bool plausible(std::size_t part, std::size_t all, double p) {
  const double n = static_cast<double>(all);
  return std::abs(static_cast<double>(part) - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1;
}

}  // namespace

TEST_CASE("link_down: nothing passes between the two, either way, and everything beside them") {
  Trio t;
  const auto fault = t.pair(FaultKind::link_down);
  t.w.run_for(4s);
  CHECK(t.there->drops[net::Drop::link_down] == t.there->sent_packets());
  CHECK(t.back->drops[net::Drop::link_down] == t.back->sent_packets());
  CHECK(t.beside->dropped_packets() == 0);
  t.faults.end(fault);
  t.w.run_for(2s);
  CHECK(t.there->arrived_packets > 0);
}

TEST_CASE("one_way: one direction is black, the other as it was") {
  Trio t;
  t.pair(FaultKind::one_way);
  t.w.run_for(4s);
  CHECK(t.there->drops[net::Drop::link_down] == t.there->sent_packets());
  CHECK(t.back->sent_packets() > 0);
  CHECK(t.back->dropped_packets() == 0);
}

TEST_CASE("large_lost: packets above the size vanish, all of them and no others") {
  Trio t;
  const auto fault = t.pair(FaultKind::large_lost, 600);
  const auto ping = t.a.command(event::Ping{t.b.id(), 2000});
  t.w.run_for(3s);
  CHECK_FALSE(t.a.answers.contains(ping));
  CHECK(t.there->drops[net::Drop::too_big] > 0);
  CHECK(t.there->drops[net::Drop::too_big] == t.there->dropped_packets());
  CHECK(t.there->smallest_drop > 600);
  CHECK(t.there->largest <= 600);
  CHECK(t.there->arrived_packets > 20);
  t.faults.end(fault);
  t.w.run_for(5s);
  CHECK(t.a.answers.contains(ping));
}

TEST_CASE("loss: each packet for itself, of one direction") {
  Trio t;
  t.pair(FaultKind::loss, 0.3);
  t.w.run_for(60s);
  REQUIRE(t.there->sent_packets() > 500);
  CHECK(plausible(t.there->drops[net::Drop::lost], t.there->sent_packets(), 0.3));
  CHECK(t.there->burst() < 2);
  CHECK(t.back->dropped_packets() == 0);
}

TEST_CASE("bursts: packets are lost in runs of about five") {
  Trio t;
  t.pair(FaultKind::bursts, 0.05);
  t.w.run_for(3min);
  REQUIRE(t.there->sent_packets() > 1500);
  CHECK(t.there->burst() > 3.5);
  CHECK(t.there->burst() < 7);
  CHECK(t.back->dropped_packets() == 0);
}

TEST_CASE("delay: the round trip grows by it, and shrinks again") {
  Trio t;
  const double before = t.rtt();
  const auto fault = t.pair(FaultKind::delay, 0.1);
  t.w.run_for(2s);
  CHECK(t.rtt() == Catch::Approx(before + 100).margin(1));
  t.faults.end(fault);
  t.w.run_for(2s);
  CHECK(t.rtt() == Catch::Approx(before).margin(1));
}

TEST_CASE("jitter: delays differ, and nothing is lost") {
  Trio t;
  t.pair(FaultKind::jitter, 0.05);
  t.w.run_for(20s);
  double least = 1e9;
  double most = 0;
  for (const auto& r : t.a.events)
    if (const auto* e = std::get_if<event::ProbeMeasured>(&r.event); e && e->peer == t.b.id() && r.at > t.faults_from) {
      least = std::min(least, to_milliseconds(e->rtt));
      most = std::max(most, to_milliseconds(e->rtt));
    }
  CHECK(most - least > 35);
  CHECK(most - least <= 51);
  CHECK(t.there->dropped_packets() == 0);
}

TEST_CASE("reorder: some packets are overtaken") {
  Trio t;
  t.pair(FaultKind::reorder, 0.3);
  for (int i = 0; i < 20; ++i) {
    t.a.command(event::Ping{t.b.id(), 2000});
    t.w.run_for(200ms);
  }
  CHECK(t.there->overtaken > 0);
  CHECK(t.back->overtaken == 0);
  CHECK(t.there->dropped_packets() == 0);
}

TEST_CASE("duplicate: some packets come twice") {
  Trio t;
  t.pair(FaultKind::duplicate, 0.2);
  t.w.run_for(60s);
  const std::size_t sent = t.there->sent_packets();
  REQUIRE(sent > 500);
  CHECK(plausible(t.there->arrived_packets - sent, sent, 0.2));
  CHECK(t.back->arrived_packets <= t.back->sent_packets());
}

TEST_CASE("corrupt: some packets come bent, and no session ends of it") {
  Trio t;
  t.pair(FaultKind::corrupt, 0.1);
  t.w.run_for(60s);
  REQUIRE(t.there->sent_packets() > 500);
  CHECK(plausible(t.there->bent, t.there->arrived_packets, 0.1));
  CHECK(t.back->bent == 0);
  CHECK(t.b.count<event::SessionEnded>() == 0);
}

TEST_CASE("throttled: no more bytes a second come through") {
  Trio t;
  t.pair(FaultKind::throttled, 20e3);
  t.a.command(event::MeasureBandwidth{t.b.id(), 1 << 20, 3s});
  t.w.run_for(3s);
  CHECK(static_cast<double>(t.there->bytes) <= 20e3 * 3 + 8192);
  CHECK(static_cast<double>(t.there->bytes) > 20e3 * 1.5);
  CHECK(t.there->drops[net::Drop::queue_full] > 0);
}

TEST_CASE("faults of one wire add up and end each by itself") {
  Trio t;
  const Link before = t.w.link(t.a, t.b);
  const auto loss = t.pair(FaultKind::loss, 0.5);
  const auto more = t.pair(FaultKind::loss, 0.5);
  const auto delay = t.pair(FaultKind::delay, 0.05);
  CHECK(t.w.link(t.a, t.b).loss == Catch::Approx(0.75));
  CHECK(t.w.link(t.a, t.b).delay == before.delay + 50ms);
  t.faults.end(loss);
  CHECK(t.w.link(t.a, t.b).loss == Catch::Approx(0.5));
  t.faults.end(delay);
  CHECK(t.w.link(t.a, t.b).delay == before.delay);
  t.faults.end(more);
  CHECK(t.w.link(t.a, t.b).loss == 0);
  CHECK(t.faults.active() == 0);
}
