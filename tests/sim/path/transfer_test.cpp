// What flows over a session goes on flowing while its packets change paths all the time.
#include <catch2/catch_test_macros.hpp>

#include <cstdio>

#include "sim/path/transfer.hpp"

namespace pw::path {
namespace {

constexpr std::uint64_t kBytes = 100'000'000;

struct Outcome {
  double rate = 0;  // bytes a second
  std::size_t switches = 0;
  std::string wrong;
};

/// `every`: one switch, to the detour and back by turns.
Outcome transfer(std::uint64_t seed, double rate, std::optional<Duration> every) {
  Route r{seed, rate};
  if (!r.a.set || !r.is_direct()) return {0, 0, "not direct at the beginning"};
  r.a.switches = r.b.switches = 0;
  const Instant began = r.net.now();
  r.a.send(kBytes);
  for (bool direct = true; !r.b.finished; direct = !direct) {
    r.run(every.value_or(1s));
    if (r.net.now() - began > 10min) return {0, r.a.switches, "it does not end"};
    if (!every) continue;
    if (direct)
      r.leave_direct();
    else
      r.add_direct();
  }
  Outcome o{static_cast<double>(kBytes) / to_seconds(r.b.last_byte - began), r.a.switches + r.b.switches, {}};
  if (r.b.corrupt || r.b.received != kBytes) o.wrong = "other bytes than were sent";
  return o;
}

}  // namespace

TEST_CASE("a hundred megabytes arrive whole across a switch of both ends every second") {
  std::printf("%-12s %18s %30s\n", "link", "without switches", "with one each second");
  for (const double rate : {2.5e6, 12.5e6}) {
    const Outcome steady = transfer(1, rate, {});
    const Outcome switching = transfer(1, rate, 1s);
    std::printf("%6.1f MB/s %13.2f MB/s %13.2f MB/s %6.2f x, %zu\n", rate / 1e6, steady.rate / 1e6, switching.rate / 1e6,
                switching.rate / steady.rate, switching.switches / 2);
    CHECK(steady.wrong.empty());
    CHECK(switching.wrong.empty());
    CHECK(steady.switches == 0);
    // Two ends, one a second each.
    CHECK(static_cast<double>(switching.switches) >= 2 * (kBytes / switching.rate - 2));
  }
}

}  // namespace pw::path
