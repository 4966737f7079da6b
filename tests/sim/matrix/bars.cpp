#include "sim/matrix/bars.hpp"

#include <array>
#include <cmath>
#include <map>

namespace pw::sim::matrix {
namespace {

constexpr std::array kOutcome{0.999, 0.95, 0.98, 0.999, 0.999};  // by Best
constexpr std::array kMedianToDirect{6 * kRtt, Duration{1s}, Duration{6s}};
constexpr Duration kConnected = 1s;
constexpr Duration kConnectedAtLoss = 3s;
// UDP is silent, then TCP, TLS and the upgrade to WebSocket.
constexpr Duration kMoreByWebSocket = 300ms + 3 * kRtt;
constexpr double kMedian = 0.5;
constexpr double kMost = 0.99;

bool within(const std::optional<Duration>& took, Duration limit) { return took && *took <= limit; }

}  // namespace

double chance_of_at_most(std::size_t hits, std::size_t n, double p) {
  if (hits >= n) return 1;
  if (p >= 1) return 0;
  double sum = 0;
  for (std::size_t k = 0; k <= hits; ++k) {
    const auto x = static_cast<double>(k);
    const auto all = static_cast<double>(n);
    sum += std::exp(std::lgamma(all + 1) - std::lgamma(x + 1) - std::lgamma(all - x + 1) + x * std::log(p) +
                    (all - x) * std::log1p(-p));
  }
  return sum;
}

Bar::Verdict Bar::verdict() const {
  if (static_cast<double>(hits) >= share * static_cast<double>(runs)) return Verdict::held;
  return chance_of_at_most(hits, runs, share) < kChance ? Verdict::missed : Verdict::below;
}

bool as_expected(const Cell& cell, const Run& run) {
  return run.outcome == expected(cell.best) && (run.outcome != Outcome::direct || run.in_time);
}

std::vector<Bar> bars_of(const std::vector<Tally>& tallies, double loss) {
  std::map<Best, Bar> outcome, direct;
  const std::string more = ", " + std::to_string(static_cast<int>(to_milliseconds(kMoreByWebSocket))) + " ms more by WebSocket";
  Bar connected{(loss > 0 ? "connected within 3 s" : "connected within 1 s") + more, kMost};
  Bar half{"connected within 1 s" + more, kMedian};
  Bar truth{"what the nodes say is so"};
  Bar rules{"no rule is broken, no storm among them"};
  std::vector<Bar> of_cells;
  for (const Tally& tally : tallies) {
    const Cell& cell = *tally.cell;
    const Best best = cell.best;
    const auto at = static_cast<std::size_t>(best);
    Bar one{cell.name() + ": outcome", kOutcome[at]};
    Bar& all = outcome.try_emplace(best, Bar{std::string{pw::name(best)} + ", all cells: outcome", kOutcome[at]}).first->second;
    for (const Run& run : tally.runs) {
      one.count(as_expected(cell, run));
      all.count(as_expected(cell, run));
      truth.count(run.untrue.empty());
      rules.count(run.broken.empty());
      if (expected(cell.best) == Outcome::apart) continue;
      const Duration pipe = cell.best == Best::websocket ? kMoreByWebSocket : Duration{};
      connected.count(within(run.connected, (loss > 0 ? kConnectedAtLoss : kConnected) + pipe));
      half.count(within(run.connected, kConnected + pipe));
      if (expected(cell.best) != Outcome::direct) continue;
      const Duration limit = kMedianToDirect.at(at);
      const std::string words = " ms after gathering";
      direct.try_emplace(best, Bar{std::string{pw::name(best)} + ", all cells: direct within " +
                                       std::to_string(static_cast<int>(to_milliseconds(limit))) + words, kMedian})
          .first->second.count(within(run.direct_gathered, limit));
    }
    of_cells.push_back(std::move(one));
  }
  std::vector<Bar> all;
  for (auto* group : {&outcome, &direct})
    for (auto& [best, bar] : *group) all.push_back(std::move(bar));
  for (Bar* bar : {&connected, &half, &truth, &rules})
    if (bar->runs > 0) all.push_back(std::move(*bar));
  all.insert(all.end(), of_cells.begin(), of_cells.end());
  return all;
}

}  // namespace pw::sim::matrix
