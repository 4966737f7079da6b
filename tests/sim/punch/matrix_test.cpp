// What a round of punching reaches through every pair of NATs, how fast, and for how many packets. PEERWATCH_MATRIX_SEEDS: runs
// of each cell.
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "sim/punch/meeting.hpp"

namespace pw::net {
namespace {

int seeds() {
  const char* text = std::getenv("PEERWATCH_MATRIX_SEEDS");
  const int n = text != nullptr ? std::atoi(text) : 0;
  return n > 0 ? n : 20;
}

template <class T>
T quantile(std::vector<T> values, double q) {
  std::ranges::sort(values);
  const auto at = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::min(at == 0 ? 0 : at - 1, values.size() - 1)];
}

struct Cell {
  int runs = 0;
  int direct = 0;
  int in_time = 0;  // of the gate
  std::vector<double> rtts;
  std::array<std::vector<unsigned>, 2> sent;
  bool right_method = true;
  bool none_left = true;  // sockets, the slot
};

Duration gate(char kind) { return kind == 'B' ? 10s : 1s; }

Cell run_cell(const Front& a, const Front& b, char kind, MeetingConditions c) {
  Cell cell;
  for (int seed = 1; seed <= seeds(); ++seed) {
    c.seed = static_cast<std::uint64_t>(seed);
    Meeting m{a, b, c};
    m.run(static_cast<std::size_t>(seed) % 2);
    ++cell.runs;
    if (m.direct()) {
      ++cell.direct;
      cell.in_time += m.taken() <= gate(kind);
      cell.rtts.push_back(to_seconds(m.taken()) / to_seconds(Meeting::kRtt));
    }
    for (std::size_t i = 0; i < 2; ++i) {
      const PunchingHost& h = *m.hosts[i];
      cell.sent[i].push_back(h.sent);
      if (h.punch && h.punch->end()) cell.none_left = cell.none_left && h.sockets() <= 2 && !h.search.taken();
    }
    // A search may hit what plain checks of the other end opened: then that end calls it punched.
    const auto said = [&](std::size_t i) {
      return m.hosts[i]->punch && m.hosts[i]->punch->end() ? m.hosts[i]->punch->end()->method : nat::Traversal::none;
    };
    const auto one_said = [&](nat::Traversal t) { return said(0) == t || said(1) == t; };
    if (m.direct())
      cell.right_method = cell.right_method && (kind == 'P'   ? said(0) == said(1) && one_said(nat::Traversal::punch)
                                                : kind == 'S' ? one_said(nat::Traversal::prediction)
                                                              : one_said(nat::Traversal::birthday));
  }
  return cell;
}

void print(const std::string& a, const std::string& b, char kind, const Cell& c) {
  std::printf("%-14s %-14s %c %4d/%d", a.c_str(), b.c_str(), kind, c.direct, c.runs);
  if (c.rtts.empty()) {
    std::printf("      –      –");
  } else {
    std::printf(" %6.1f %6.1f", quantile(c.rtts, 0.5), quantile(c.rtts, 0.99));
  }
  for (const auto& sent : c.sent) std::printf(" %5u/%-5u", quantile(sent, 0.5), quantile(sent, 1));
  std::printf("\n");
}

/// At least this share, as well as so few runs can tell: three standard deviations below are allowed.
bool reached(int hits, int runs, double share) {
  const double n = runs;
  return hits >= n * share - 3 * std::sqrt(n * share * (1 - share));
}

double share_of(char kind) { return kind == 'P' ? 0.999 : kind == 'S' ? 0.95 : 0.98; }

/// All pairs, each place as either end of some: the upper half of the matrix.
void run_matrix(const MeetingConditions& conditions, double strangers, bool gated) {
  std::printf("%g %% loss each way, %g flows of others a second behind each NAT\n", 100 * conditions.loss, strangers);
  std::printf("%-14s %-14s   direct      RTT p50    p99   packets p50/max of each end\n", "", "");
  for (std::size_t a = 0; a < kPlaces; ++a)
    for (std::size_t b = a; b < kPlaces; ++b) {
      const char kind = kMatrix[a][b];
      const Front first{.place = static_cast<Place>(a), .strangers = strangers};
      const Front second{.place = static_cast<Place>(b), .strangers = strangers};
      const Cell cell = run_cell(first, second, kind, conditions);
      const std::string one{name(first.place)};
      const std::string other{name(second.place)};
      print(one, other, kind, cell);
      INFO(one << " and " << other << ": " << cell.direct << " of " << cell.runs << ", in time " << cell.in_time);
      CHECK(cell.none_left);
      if (kind == 'R') {
        CHECK(cell.direct == 0);
        for (const auto& sent : cell.sent) CHECK(quantile(sent, 1) <= 8);
        continue;
      }
      CHECK(cell.right_method);
      CHECK(reached(gated ? cell.in_time : cell.direct, cell.runs, share_of(kind)));
    }
}

}  // namespace

TEST_CASE("every pair of NATs is punched through where the matrix says so, by its method, in time") {
  run_matrix({}, 0, true);
}

TEST_CASE("so it is while others take ports behind both NATs") { run_matrix({}, 10, true); }

TEST_CASE("so it is, in the end, at five per cent loss each way") { run_matrix({.loss = 0.05}, 10, false); }

}  // namespace pw::net
