#include "path/selector.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::path;
using event::PathChangeReason;
using event::PathHealth;
using event::PathKind;
using View = Selector::View;

namespace {
constexpr Instant kStart{std::chrono::hours{1}};

View view(std::uint32_t id, PathKind kind, Duration rtt = 20ms) {
  View v;
  v.id = PathId{id};
  v.kind = kind;
  v.size = Size::full;
  v.rtt = rtt;
  v.steady_since = kStart;
  return v;
}
std::optional<PathId> id(std::uint32_t n) { return PathId{n}; }
}  // namespace

TEST_CASE("direct goes before relayed by QUIC before relayed by WebSocket, whatever the RTT") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::relay_websocket, 1ms)};
  CHECK(s.update(kStart, paths)->reason == PathChangeReason::upgraded);
  CHECK(s.first() == id(0));
  paths.push_back(view(1, PathKind::relay_quic, 50ms));
  CHECK(s.update(kStart, paths)->to == id(1));
  paths.push_back(view(2, PathKind::direct_v4, 90ms));
  CHECK(s.update(kStart, paths)->to == id(2));
  CHECK_FALSE(s.update(kStart, paths));
}

TEST_CASE("a better tier is not taken before it is proved at full size and out of doubt") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::relay_quic), view(1, PathKind::direct_v4)};
  paths[1].size = Size::unknown;
  CHECK(s.update(kStart, paths)->to == id(0));
  paths[1].size = Size::small;
  CHECK_FALSE(s.update(kStart, paths));
  paths[1].size = Size::full;
  paths[1].doubtful = true;
  CHECK_FALSE(s.update(kStart, paths));
  paths[1].doubtful = false;
  CHECK(s.update(kStart, paths)->to == id(1));
}

TEST_CASE("a path in doubt is shared with the best standby, for three seconds at most") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::direct_v4), view(1, PathKind::relay_quic, 90ms),
                          view(2, PathKind::relay_quic, 50ms)};
  s.update(kStart, paths);
  paths[0].health = PathHealth::suspect;
  paths[0].doubtful = true;
  CHECK_FALSE(s.update(kStart, paths));
  CHECK(s.second() == id(2));
  CHECK(s.next_timeout() == kStart + Selector::kDoubt);
  paths[1].rtt = 10ms;  // no need to change horses
  CHECK_FALSE(s.update(kStart + 1s, paths));
  CHECK(s.second() == id(2));
  CHECK_FALSE(s.update(kStart + Selector::kDoubt - 1ns, paths));
  const auto change = s.update(kStart + Selector::kDoubt, paths);
  CHECK(change->to == id(2));
  CHECK(change->reason == PathChangeReason::path_lost);
  CHECK_FALSE(s.second());
}

TEST_CASE("own lateness gives a doubt its whole time again") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::direct_v4), view(1, PathKind::relay_quic)};
  s.update(kStart, paths);
  paths[0].doubtful = true;
  s.update(kStart, paths);
  s.restart_wait(kStart + 1min);
  CHECK_FALSE(s.update(kStart + 1min, paths));
  CHECK(s.update(kStart + 1min + Selector::kDoubt, paths));
}

TEST_CASE("doubt that ends leaves the path in use and the second one unused") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::direct_v4), view(1, PathKind::relay_quic)};
  s.update(kStart, paths);
  for (int i = 0; i < 10; ++i) {
    const Instant now = kStart + i * 4s;
    paths[0].doubtful = true;
    CHECK_FALSE(s.update(now, paths));
    CHECK(s.second() == id(1));
    paths[0].doubtful = false;
    CHECK_FALSE(s.update(now + 2s, paths));
    CHECK_FALSE(s.second());
  }
}

TEST_CASE("a dead path is left at once, for one in doubt rather than none; none is left when all are dead") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::direct_v4), view(1, PathKind::relay_quic)};
  s.update(kStart, paths);
  paths[0].health = PathHealth::dead;
  paths[1].health = PathHealth::suspect;
  paths[1].doubtful = true;
  CHECK(s.update(kStart, paths)->to == id(1));
  paths[1].health = PathHealth::dead;
  const auto none = s.update(kStart, paths);
  CHECK_FALSE(none->to);
  CHECK(none->reason == PathChangeReason::path_lost);
  CHECK_FALSE(s.update(kStart, paths));
  paths[0].health = PathHealth::proved;
  CHECK(s.update(kStart, paths)->reason == PathChangeReason::upgraded);
}

TEST_CASE("a path that was closed is left for the reason of its closing") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::relay_quic), view(1, PathKind::relay_websocket)};
  s.update(kStart, paths);
  paths.erase(paths.begin());
  CHECK(s.update(kStart, paths, PathChangeReason::relay_closed)->reason == PathChangeReason::relay_closed);
  CHECK(s.first() == id(1));
}

TEST_CASE("a path that large packets no longer pass is left only for one that they do") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::direct_v4), view(1, PathKind::relay_quic)};
  s.update(kStart, paths);
  paths[0].size = Size::small;
  paths[1].size = Size::unknown;
  CHECK_FALSE(s.update(kStart, paths));
  paths[1].size = Size::full;
  CHECK(s.update(kStart, paths)->reason == PathChangeReason::path_lost);
  CHECK(s.first() == id(1));
}

TEST_CASE("a path that failed in use is returned to after a time that doubles, up to a limit") {
  for (const auto& [failures, wait] : {std::pair{1U, 5s}, {2U, 10s}, {5U, 80s}, {50U, 80s}}) {
    Selector s;
    std::vector<View> paths{view(0, PathKind::relay_quic), view(1, PathKind::direct_v4)};
    paths[1].size = Size::unknown;
    s.update(kStart, paths);
    paths[1].size = Size::full;
    paths[1].lost_in_use = failures;
    CHECK_FALSE(s.update(kStart, paths));
    CHECK(s.next_timeout() == kStart + wait);
    CHECK_FALSE(s.update(kStart + wait - 1ns, paths));
    CHECK(s.update(kStart + wait, paths)->to == id(1));
  }
}

TEST_CASE("a better RTT wins after its trial, by the margin, with samples enough") {
  struct Case {
    Duration current, other;
    std::uint64_t samples;
    bool wins;
  };
  for (const Case& c : {Case{20ms, 15ms, 5, true},
                        {20ms, 16ms, 5, false},
                        {200ms, 181ms, 5, false},
                        {200ms, 180ms, 5, true},
                        {20ms, 10ms, 3, false}}) {
    INFO(c.current.count() << " to " << c.other.count());
    Selector s;
    std::vector<View> paths{view(0, PathKind::direct_v4, c.current)};
    s.update(kStart, paths);
    paths.push_back(view(1, PathKind::direct_v6, c.other));
    CHECK_FALSE(s.update(kStart, paths));
    paths[1].samples = c.samples;
    CHECK_FALSE(s.update(kStart + Selector::kTrial - 1ns, paths));
    const auto change = s.update(kStart + Selector::kTrial, paths);
    CHECK(change.has_value() == c.wins);
    if (change) CHECK(change->reason == PathChangeReason::better_rtt);
  }
}

TEST_CASE("a trial begins anew when the advantage was gone in between") {
  Selector s;
  std::vector<View> paths{view(0, PathKind::direct_v4, 20ms), view(1, PathKind::direct_v6, 20ms)};
  s.update(kStart, paths);
  paths[1].rtt = 10ms;
  s.update(kStart, paths);
  CHECK(s.challenger() == id(1));
  paths[1].rtt = 19ms;
  s.update(kStart + 4s, paths);
  CHECK_FALSE(s.challenger());
  paths[1].rtt = 10ms;
  paths[1].samples = 100;
  s.update(kStart + 5s, paths);
  paths[1].samples = 200;
  CHECK_FALSE(s.update(kStart + 9s, paths));
  CHECK(s.update(kStart + 10s, paths));
}
