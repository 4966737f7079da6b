// What a scrape costs: run by hand, `unit_observe "[.speed]"`; prints, asserts nothing about time.
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>

#include "observe/peer_series.hpp"
#include "world.hpp"

using namespace pw;
using namespace pw::test;

namespace {

template <class Work>
double nanoseconds(int times, Work work) {
  double best = 1e18;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

TEST_CASE("cost of a snapshot and of its text", "[.speed]") {
  std::printf("%zu B of numbers a labelled peer in a snapshot\n", sizeof(observe::PeerSeries));
  for (const unsigned peers : {100U, 1000U, 10000U}) {
    auto o = options();
    o.max_labelled_peers = peers;
    o.max_series = 10'000'000;
    observe::Metrics metrics{o};
    std::vector<event::PeerSnapshot> all;
    for (unsigned n = 1; n <= peers; ++n) all.push_back(connected(n, Instant{1s}));
    auto node = node_at(Instant{1s}, all);
    std::shared_ptr<const observe::MetricsSnapshot> snapshot;
    const double snap = nanoseconds(50, [&] { snapshot = metrics.snapshot(node, kWall); });
    node.peers.clear();
    observe::Metrics empty{o};
    const double base = nanoseconds(50, [&] { (void)empty.snapshot(node, kWall); });
    std::string text;
    const double plain = nanoseconds(20, [&] { text = render(*snapshot, observe::Exposition::text); });
    const double open = nanoseconds(20, [&] { text = render(*snapshot, observe::Exposition::openmetrics); });
    std::size_t samples = 0;
    for (std::size_t at = 0; at != text.npos && at + 1 < text.size(); at = text.find('\n', at + 1)) ++samples;
    std::printf(
        "%5u peers: snapshot %8.1f us (%5.0f ns a peer beside %5.1f us for the node), "
        "text %7.2f ms = %4.1f ns a sample, openmetrics %7.2f ms, %zu lines, %.1f MB\n",
        peers, snap / 1e3, (snap - base) / peers, base / 1e3, plain / 1e6, plain / static_cast<double>(samples),
        open / 1e6, samples, static_cast<double>(text.size()) / 1e6);
  }
  observe::Metrics metrics{options()};
  metrics.handle({Instant{}, event::PeerAdded{peer(1), event::DiscoveryMethod::configured}});
  const event::Record echo{Instant{}, event::EchoMeasured{peer(1), event::PathKind::direct_v4, 1ms, false}};
  const event::Record probe{Instant{}, event::ProbeMeasured{peer(1), event::PathKind::direct_v4, 1ms, false}};
  constexpr int kTimes = 100'000;
  const double of_echo = nanoseconds(5, [&] {
    for (int i = 0; i < kTimes; ++i) metrics.handle(echo);
  });
  const double of_probe = nanoseconds(5, [&] {
    for (int i = 0; i < kTimes; ++i) metrics.handle(probe);
  });
  std::printf("one echo_measured %.0f ns, one probe_measured %.0f ns\n", of_echo / kTimes, of_probe / kTimes);
}
