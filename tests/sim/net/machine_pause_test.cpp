// What befalls a machine: busy, stopped, asleep, slow; and what its programs notice of it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "sim/net/recorder.hpp"

using namespace pw;
using namespace pw::net;

namespace {

using Strings = std::vector<std::string>;

struct Lan {
  Net net{1};
  Segment& lan = net.add_segment("lan", Link{.delay = 1ms});
  Recorder alice{net, lan, "alice", "10.0.0.1"};
  Recorder bob{net, lan, "bob", "10.0.0.2"};
  Log log{net};
  Lan() { settle(); }
  /// The first call tells of the interface that was attached.
  void settle() {
    net.run_until(net.now());
    bob.order.clear();
  }
  void run(Duration d = 1s) { net.run_until(net.now() + d); }
  Instant since_start(Duration d) const { return Net::kStart + d; }
};

/// What the net says of pauses.
struct Pauses : Observer {
  explicit Pauses(Net& n) : net{n} { net.add_observer(*this); }
  ~Pauses() override { net.remove_observer(*this); }
  Net& net;
  std::vector<Duration> until;  // since the start
  void paused(Instant, const Machine&, Instant u) override { until.push_back(u - Net::kStart); }
};

}  // namespace

TEST_CASE("a frozen machine handles what arrived when it thaws: packets first, then what is due, none of it lost") {
  const bool stopped = GENERATE(false, true);
  Lan l;
  Machine& m = l.bob.machine();
  l.bob.set_timer(l.net.now() + 20ms);
  if (stopped)
    m.stop(100ms);
  else
    m.freeze(100ms);
  CHECK(m.frozen());
  l.alice.send(l.bob.address(), "a");
  l.run(50ms);
  l.alice.send(l.bob.address(), "b");
  l.run(49ms);
  CHECK(l.bob.order.empty());
  CHECK(m.now() == l.since_start(99ms));
  l.run(1ms);
  CHECK(!m.frozen());
  CHECK(l.bob.order == (stopped ? Strings{"gap", "got a", "got b", "timer"} : Strings{"got a", "got b", "timer"}));
  if (stopped) CHECK(l.bob.gaps == std::vector<Duration>{100ms});
  // When the kernel had it is not when the program got it.
  CHECK(l.bob.got[0].received_at == l.since_start(1ms));
  CHECK(l.bob.got[1].received_at == l.since_start(51ms));
  CHECK(l.bob.got[0].at == l.since_start(100ms));
  CHECK(l.bob.fired == std::vector{l.since_start(100ms)});
}

TEST_CASE("a stop is told even when nothing waited") {
  Lan l;
  l.bob.machine().stop(5s);
  l.run(4999ms);
  CHECK(l.bob.order.empty());
  l.run(1ms);
  CHECK(l.bob.gaps == std::vector<Duration>{5s});
}

TEST_CASE("a thaw ends a freeze, and a stop with the gap that it had by then") {
  Lan l;
  Machine& m = l.bob.machine();
  m.freeze(1h);
  l.alice.send(l.bob.address(), "x");
  l.run(1s);
  m.thaw();
  CHECK(!m.frozen());
  l.net.run_until(l.net.now());
  CHECK(l.bob.order == Strings{"got x"});
  m.stop(1h);
  l.run(3s);
  m.thaw();
  l.run(0s);
  CHECK(l.bob.gaps == std::vector<Duration>{3s});
}

TEST_CASE("of freezes that overlap the longest counts") {
  Lan l;
  l.bob.machine().freeze(100ms);
  l.bob.machine().freeze(10ms);
  l.alice.send(l.bob.address(), "x");
  l.run(99ms);
  CHECK(l.bob.got.empty());
  l.run(1ms);
  CHECK(l.bob.got.size() == 1);
}

TEST_CASE("what does not fit into a socket's receive buffer is dropped, as Linux counts") {
  Lan l;
  Machine& m = l.bob.machine();
  Recorder other{m, 8};
  m.receive_buffer = 10 * (100 + Machine::kReceiveOverhead);
  for (int round = 0; round < 2; ++round) {  // what was handled makes room again
    m.freeze(1s);
    for (int i = 0; i < 12; ++i) l.alice.send(l.bob.address(), std::string(100, 'x'));
    l.alice.send({l.bob.address().ip, 8}, "another socket has a buffer of its own");
    l.run(2s);
    CHECK(l.bob.got.size() == static_cast<std::size_t>(10 * (round + 1)));
    CHECK(l.log.count(Drop::receive_buffer) == static_cast<std::size_t>(2 * (round + 1)));
    CHECK(other.got.size() == static_cast<std::size_t>(round + 1));
  }
}

TEST_CASE("timers are not starved by a long queue: they have their turn after every batch") {
  Lan l;
  Machine& m = l.bob.machine();
  m.receive_buffer = 1U << 30;
  l.bob.set_timer(l.net.now() + 10ms);
  l.bob.on_timeout = [&](Instant now) { l.bob.deadline = l.bob.fired.size() < 3 ? now : kNever; };
  m.freeze(100ms);
  for (std::size_t i = 0; i < 2 * Machine::kBatch + 10; ++i) l.alice.send(l.bob.address(), "x");
  l.run(1s);
  REQUIRE(l.bob.order.size() == 2 * Machine::kBatch + 10 + 3);
  CHECK(l.bob.order[Machine::kBatch] == "timer");
  CHECK(l.bob.order[2 * Machine::kBatch + 1] == "timer");
  CHECK(l.bob.order.back() == "timer");
  CHECK(l.bob.got.back().at == l.since_start(100ms));
}

TEST_CASE("a machine that sleeps loses what is sent to it, its clock stands still, and it is told when it wakes") {
  Lan l;
  Machine& m = l.bob.machine();
  l.bob.set_timer(m.now() + 5s);
  l.run(2s);
  m.suspend(1h);
  CHECK(m.asleep());
  l.alice.send(l.bob.address(), "lost");
  l.run(30min);
  CHECK(m.now() == l.since_start(2s));
  CHECK(l.log.count(Drop::machine_down) == 1);
  l.bob.send(l.alice.address(), "a sleeper says nothing");
  CHECK(l.log.count(Drop::machine_down) == 2);
  CHECK(m.to_net(l.bob.deadline) == l.since_start(5s + 1h));
  l.run(30min);
  CHECK(!m.asleep());
  CHECK(l.bob.order == Strings{"gap"});
  CHECK(l.bob.gaps == std::vector<Duration>{1h});
  CHECK(m.now() == l.since_start(2s));
  l.run(3s);
  CHECK(l.bob.fired == std::vector{l.since_start(5s)});
  CHECK(l.net.now() == l.since_start(1h + 5s));
  CHECK(m.to_net(m.now()) == l.net.now());
  l.alice.send(l.bob.address(), "heard");
  l.run();
  CHECK(l.bob.texts() == Strings{"heard"});
}

TEST_CASE("sleep within a stop: the gap has both, and what waited is handled behind it") {
  Lan l;
  Machine& m = l.bob.machine();
  l.alice.send(l.bob.address(), "x");
  m.stop(10s);
  l.run(2s);
  m.suspend(3s);
  l.run(3s);
  CHECK(!m.asleep());
  CHECK(l.bob.order.empty());
  l.run(5s);
  CHECK(l.bob.order == Strings{"gap", "got x"});
  CHECK(l.bob.gaps == std::vector<Duration>{10s});
  CHECK(l.bob.got[0].received_at == l.since_start(1ms));
}

TEST_CASE("changes of the network during a pause are told behind the gap and before what waited") {
  Lan l;
  Machine& m = l.bob.machine();
  m.stop(1s);
  l.alice.send(l.bob.address(), "x");
  l.run(10ms);
  m.set_addresses(*m.interfaces()[0], {ip("10.0.0.3")});
  m.set_addresses(*m.interfaces()[0], {ip("10.0.0.2")});
  l.run(2s);
  CHECK(l.bob.order == Strings{"gap", "change", "got x"});
}

TEST_CASE("a slow machine takes its time over each arrival, and falls behind") {
  Lan l;
  Machine& m = l.bob.machine();
  m.cost_of_arrival = 10ms;
  for (int i = 0; i < 5; ++i) l.alice.send(l.bob.address(), "x");
  l.run();
  REQUIRE(l.bob.got.size() == 5);
  for (int i = 0; i < 5; ++i) {
    CHECK(l.bob.got[static_cast<std::size_t>(i)].at == l.since_start(1ms + 10ms * i));
    CHECK(l.bob.got[static_cast<std::size_t>(i)].received_at == l.since_start(1ms));
  }
}

TEST_CASE("a slow machine's timers wait for the arrival that keeps it busy") {
  Lan l;
  l.bob.machine().cost_of_arrival = 10ms;
  l.bob.set_timer(l.net.now() + 5ms);
  l.alice.send(l.bob.address(), "x");
  l.run();
  CHECK(l.bob.fired == std::vector{l.since_start(11ms)});
}

TEST_CASE("a machine that is offered more than it can handle drops it, and its timers still get turns") {
  Lan l;
  Machine& m = l.bob.machine();
  m.cost_of_arrival = 1ms;
  l.bob.set_timer(l.net.now() + 10ms);
  l.bob.on_timeout = [&](Instant now) { l.bob.deadline = now + 10ms; };
  for (int i = 0; i < 8000; ++i) {
    l.alice.send(l.bob.address(), "x");
    l.run(500us);
  }
  const auto seconds4 = static_cast<std::size_t>(4000);
  CHECK(l.bob.got.size() > seconds4 - 10);
  CHECK(l.bob.got.size() < seconds4 + 10);
  CHECK(l.log.count(Drop::receive_buffer) > 3000);
  CHECK(l.bob.fired.size() >= seconds4 / Machine::kBatch);
}

TEST_CASE("the process of a paused machine may be killed: it gets nothing when the pause ends") {
  Lan l;
  Machine& m = l.bob.machine();
  m.stop(1s);
  l.bob.set_timer(l.net.now() + 1ms);
  l.alice.send(l.bob.address(), "x");
  l.run(500ms);
  m.kill(l.bob);
  l.run();
  CHECK(l.bob.order.empty());
}

TEST_CASE("observers are told until when a machine does not get to run, and when that changes") {
  Lan l;
  Pauses pauses{l.net};
  Machine& m = l.bob.machine();
  m.freeze(10s);
  m.suspend(30s);
  l.run(40s);
  m.stop(10s);
  l.run(1s);
  m.thaw();
  CHECK(pauses.until == std::vector<Duration>{10s, 30s, 50s, 41s});
}

TEST_CASE("what arrives at the very instant at which a stop or a sleep ends is handled behind the gap") {
  const bool stopped = GENERATE(false, true);
  Lan l;
  if (stopped)
    l.bob.machine().stop(10ms);
  else
    l.bob.machine().suspend(10ms);
  l.run(9ms);
  l.alice.send(l.bob.address(), "x");
  l.run(10ms);
  // A machine that wakes at that instant was asleep when the packet came.
  CHECK(l.bob.order == (stopped ? Strings{"gap", "got x"} : Strings{"gap"}));
}

TEST_CASE("what arrives at the instant at which a timer is due is handled first") {
  Lan l;
  l.bob.set_timer(l.net.now() + 1ms);
  l.alice.send(l.bob.address(), "x");
  l.run(1ms);
  CHECK(l.bob.order == Strings{"got x", "timer"});
}
