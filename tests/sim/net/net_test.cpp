// Virtual time, order, randomness and the account of packets.
#include "sim/net/net.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sstream>

#include "sim/net/recorder.hpp"

using namespace pw;
using namespace pw::net;

namespace {

/// Three machines that answer one another over bad links for a while. What an outsider may do to the net beforehand must
/// not change it.
std::string trace_of(std::uint64_t seed, const std::function<void(Net&)>& before = {}) {
  Net net{seed};
  if (before) before(net);
  Link bad{.delay = 10ms, .jitter = 20ms, .loss = 0.1, .reorder = 0.1, .duplicate = 0.1, .corrupt = 0.1, .rate = 1e5};
  Segment& lan = net.add_segment("lan", bad);
  Log log{net};
  log.keep_trace = true;
  Recorder a{net, lan, "a", "10.0.0.1", Link{.jitter = 1ms}};
  Recorder b{net, lan, "b", "10.0.0.2", Link{.loss = 0.05}};
  Recorder c{net, lan, "c", "10.0.0.3"};
  for (Recorder* r : {&a, &b, &c})
    r->on_arrival = [r](Instant, const Arrival& x) { r->send(x.path.remote, as_text(x.bytes)); };
  for (int i = 0; i < 30; ++i) {
    a.send(b.address(), "from a");
    b.send(c.address(), "from b");
    c.send(a.address(), "from c");
  }
  net.run_until(net.now() + 2s);
  return log.trace;
}

}  // namespace

TEST_CASE("a datagram crosses both access links and the pair's wire, and takes the time of all three") {
  Net net{1};
  Segment& lan = net.add_segment("lan", Link{.delay = 3ms});
  Recorder alice{net, lan, "alice", "10.0.0.1", Link{.delay = 1ms}};
  Recorder bob{net, lan, "bob", "10.0.0.2", Link{.delay = 10ms}};
  alice.send(bob.address(), "hello");
  net.run_until(net.now() + 1s);
  REQUIRE(bob.got.size() == 1);
  CHECK(bob.got[0].text == "hello");
  CHECK(bob.got[0].at == Net::kStart + 14ms);
  CHECK(bob.got[0].received_at == bob.got[0].at);
  CHECK(bob.got[0].from == alice.address());
  CHECK(bob.got[0].to == bob.address());
  CHECK(net.now() == Net::kStart + 1s);
}

TEST_CASE("the same seed gives the same trace, another seed another") {
  const std::string first = trace_of(7);
  CHECK(first.size() > 10000);
  CHECK(trace_of(7) == first);
  CHECK(trace_of(8) != first);
}

TEST_CASE("other parts, and what they draw, shift nobody's luck") {
  const std::string first = trace_of(7);
  // Others with luck of their own are there, exchange packets over links that draw, and fall silent: ids of packets
  // apart (and of these the trace is cleared), all is as without them.
  const auto with_others = [](Net& net) {
    Segment& other = net.add_segment("other", Link{.jitter = 5ms, .loss = 0.5});
    Recorder x{net, other, "x", "10.9.0.1"};
    Recorder y{net, other, "y", "10.9.0.2"};
    for (int i = 0; i < 100; ++i) x.send(y.address(), "noise");
    Rng drawn = net.rng_for("lan/a up");
    drawn.next();
  };
  const auto without_ids = [](const std::string& trace) {
    std::string out;
    std::istringstream lines{trace};
    for (std::string line; std::getline(lines, line);) {
      if (line.find("10.9.0.") != std::string::npos) continue;
      std::istringstream words{line};
      std::string word;
      for (int n = 0; words >> word; ++n)
        if (n != 2) out += word + " ";
      out += "\n";
    }
    return out;
  };
  CHECK(without_ids(trace_of(7, with_others)) == without_ids(first));
}

TEST_CASE("a part's generator depends on the seed and its name alone") {
  Net net{1};
  const auto first = [](Rng rng) { return rng.next(); };
  CHECK(first(net.rng_for("x")) == first(net.rng_for("x")));
  CHECK(first(net.rng_for("x")) != first(net.rng_for("y")));
  CHECK(first(net.rng_for("ab")) != first(net.rng_for("ba")));
  CHECK(first(net.rng_for("x")) != first(Net{2}.rng_for("x")));
}

TEST_CASE("what is scheduled for the same instant happens in the order of scheduling") {
  Net net{1};
  std::string order;
  const Instant then = net.now() + 1s;
  for (char c = 'a'; c <= 'z'; ++c) net.at(then, [&order, c] { order += c; });
  net.at(then - 1ns, [&order] { order += '<'; });
  net.run_until(then);
  CHECK(order == "<abcdefghijklmnopqrstuvwxyz");
}

TEST_CASE("an action for the past happens next, and the clock does not go back") {
  Net net{1};
  net.run_until(net.now() + 1s);
  Instant when{};
  net.at(Net::kStart, [&] { when = net.now(); });
  CHECK(net.poll_timeout() == net.now());
  CHECK(net.step(net.now()));
  CHECK(when == Net::kStart + 1s);
}

TEST_CASE("the clock moves to what happens, and no further than asked") {
  Net net{1};
  CHECK(net.poll_timeout() == kNever);
  CHECK(!net.step(kNever));
  net.at(net.now() + 5s, [] {});
  CHECK(net.poll_timeout() == Net::kStart + 5s);
  CHECK(!net.step(Net::kStart + 4s));
  CHECK(net.now() == Net::kStart);
  net.run_until(Net::kStart + 4s);
  CHECK(net.now() == Net::kStart + 4s);
  CHECK(net.step(Net::kStart + 10s));
  CHECK(net.now() == Net::kStart + 5s);
}

TEST_CASE("an action may schedule another for the same instant") {
  Net net{1};
  int runs = 0;
  std::function<void()> again = [&] {
    if (++runs < 100) net.at(net.now(), again);
  };
  net.at(net.now() + 1s, again);
  net.run_until(net.now() + 1s);
  CHECK(runs == 100);
}

TEST_CASE("every packet is accounted for: sent and doubled is arrived, dropped or under way") {
  Net net{3};
  Segment& lan = net.add_segment("lan", Link{.delay = 10ms, .jitter = 20ms, .loss = 0.2, .duplicate = 0.3});
  Recorder a{net, lan, "a", "10.0.0.1"};
  Recorder b{net, lan, "b", "10.0.0.2"};
  Log log{net};
  const auto balanced = [&] {
    return net.packets_sent() + net.packets_duplicated() ==
           net.packets_arrived() + net.packets_dropped() + net.packets_under_way();
  };
  for (int i = 0; i < 500; ++i) {
    a.send(b.address(), "x");
    a.send({ip("10.0.0.9"), 1}, "nobody");
    b.machine().inject(a.address(), Recorder::kPort, {1, 2, 3});
    net.run_until(net.now() + 1ms);
    CHECK(balanced());
  }
  CHECK(net.packets_under_way() > 0);
  net.run_until(net.now() + 1s);
  CHECK(net.packets_under_way() == 0);
  CHECK(balanced());
  CHECK(net.packets_sent() == 1500);
  CHECK(net.packets_duplicated() > 50);
  CHECK(net.packets_dropped() == log.total());
  CHECK(net.packets_arrived() == b.got.size());
}

TEST_CASE("an observer that left is told nothing more") {
  Net net{1};
  Segment& lan = net.add_segment("lan");
  Recorder a{net, lan, "a", "10.0.0.1"};
  Log stays{net};
  {
    Log leaves{net};
    a.send({ip("10.0.0.9"), 1}, "x");
    CHECK(leaves.total() == 1);
  }
  a.send({ip("10.0.0.9"), 1}, "x");
  CHECK(stays.total() == 2);
}
