// Addresses of a machine come and go under live sessions: its daemon is told and goes on from another, without waiting
// for anything to time out.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "sim/checks.hpp"
#include "sim/inflict.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

struct Two {
  explicit Two(std::uint64_t seed) : w{seed}, a{w.add("a")}, b{w.add("b")}, faults{w} {
    w.introduce_all();
    w.start_all();
  }
  bool up() const { return a.connected(b) && b.connected(a); }
  World w;
  Host& a;
  Host& b;
  Faults faults;
};

std::vector<PathAddress> in_use(const Host& host, const Host& other) {
  std::vector<PathAddress> out;
  for (const auto& path : host.peer(other).paths)
    if (path.in_use) out.push_back(path.address);
  return out;
}

}  // namespace

TEST_CASE("an address that is replaced is noticed at once: its paths go on from another and the session does not end") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Two t{seed};
    if (!t.w.run_until([&] { return t.up(); }, 20s)) return "not connected";
    t.w.run_for(5s);
    const IpAddress old = t.a.address().ip;
    const Instant began = t.w.now();
    t.a.events.clear();
    t.faults.inflict(
        {.kind = FaultKind::address_change, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = std::nullopt});
    t.w.run_for(1ms);
    if (t.a.count<event::NetworkChanged>() != 1) return "nobody was told";
    for (const auto& path : t.a.peer(t.b).paths)
      if (path.address.local == old) return "a path begins where nothing is";
    // One round trip of 20 ms, and nothing on the way is waited for.
    t.w.run_for(50ms);
    for (const auto& path : t.a.peer(t.b).paths)
      if (path.in_use && path.last_proof < began) return "the path was not proved from the new address";
    t.w.run_for(8s);
    for (const auto& path : in_use(t.b, t.a))
      if (path.remote.ip == old) return "the peer did not follow";
    for (const auto& changed : t.a.all<event::PathHealthChanged>())
      if (changed.to == event::PathHealth::dead) return "a path died of it";
    for (const Host* host : {&t.a, &t.b})
      if (host->count<event::SessionEnded>() != 0) return host->name() + " lost its session";
    return broken_rule(t.w);
  });
}

TEST_CASE("a plug that was out and is in again: the path is probed at once, though it was dead") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Two t{seed};
    if (!t.w.run_until([&] { return t.up(); }, 20s)) return "not connected";
    t.w.run_for(5s);
    const auto out = t.faults.inflict(
        {.kind = FaultKind::interface_down, .host = 0, .other = {}, .router = {}, .amount = 0, .lasts = std::nullopt});
    t.w.run_for(15s);
    if (t.a.peer(t.b).path != event::PathKind::none) return "a path is alive without a plug";
    t.faults.end(out);
    t.w.run_for(50ms);
    if (t.a.peer(t.b).path != event::PathKind::direct_v4) return "the path did not come back at once";
    t.w.run_for(5s);
    if (t.a.count<event::SessionEnded>() + t.b.count<event::SessionEnded>() != 0) return "the session ended";
    return broken_rule(t.w);
  });
}
