// One session between two homes that has gone direct, with the relay warm beside it; its direct path breaks in one of
// several ways, is whole again later, and what that cost is measured: figures of whole daemons.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "homes.hpp"
#include "probe/liveness.hpp"
#include "sim/inflict.hpp"

namespace pw::sim {

/// What becomes of the direct path. `forth`: what the first home sends to the second is lost.
enum class Break : std::uint8_t { both_ways, forth, back, large };
constexpr auto names(Break) {
  using namespace std::string_view_literals;
  return std::array{"both ways"sv, "one way"sv, "the other way"sv, "large packets"sv};
}

/// Of one break; by end. Times are from the break on.
struct Failover {
  std::array<Duration, 2> timeout{};  // of the direct path's probes, before the break
  Duration direct_rtt{};
  Duration relay_rtt{};
  std::array<std::optional<Duration>, 2> suspect{};  // or doubted for its size: packets go out on both
  std::array<std::optional<Duration>, 2> echo{};     // the first answer to one that was asked after the break
  std::array<Duration, 2> slowest_later{};   // round trip of the echoes asked once both ends had noticed
  std::array<Duration, 2> slowest_return{};  // and from when the path was whole again
  std::array<std::optional<Duration>, 2> told{};  // as PathFailedOver says
  std::array<std::optional<Duration>, 2> seen{};  // and the wire: answers to checks, by their sizes
  /// Pings to the old path while it was in doubt, and to the relay meanwhile: those that went on both.
  std::array<std::size_t, 2> on_one{}, on_both{};
  std::array<std::size_t, 2> lost{}, upgraded{};  // changes of the path in use
  std::string wrong;                         // what makes all that worthless

  Duration noticed() const { return std::max(suspect[0].value(), suspect[1].value()); }
};

class FailingPath {
 public:
  static constexpr Duration kPing = 50ms;
  static constexpr Duration kBroken = 10s;
  static constexpr Duration kReturns = 20s;  // Selector::kReturn, and what finds out that the path is back
  static constexpr std::uint32_t kSmallPing = 300;
  static constexpr std::uint32_t kLargePing = 600;
  static constexpr double kNarrow = 500;  // the largest IP packet that passes

  explicit FailingPath(std::uint64_t seed, World::Rules rules = World::Rules::all)
      : h{seed, {net::Place::apdf}, {net::Place::apdf}, rules}, faults{h.w} {
    Rng rng = h.w.net.rng_for("distances");
    const auto distance = [&] { return 5ms + rng.up_to(55ms); };
    net::Link link;
    link.delay = distance();
    h.w.both_ways(*h.a, *h.b, link);
    for (Host* host : {h.a, h.b}) {
      link.delay = distance();
      h.w.both_ways(*host, h.server, link);
    }
  }

  /// False: the session did not come to be direct with the relay beside it.
  bool begin();
  /// Pings of that size go both ways all the time; 0: no more.
  void talk(std::uint32_t size);
  /// The direct path, until mend().
  void inflict(Break how);
  void mend() { faults.end(broken_); }

  /// From the beginning to the end.
  Failover run(Break how, bool traffic);

  TwoHomes h;
  Faults faults;

 private:
  void ping();
  std::array<Host*, 2> ends() const { return {h.a, h.b}; }
  const Host& other(std::size_t end) const { return end == 0 ? *h.b : *h.a; }

  Faults::Id broken_ = 0;
  std::uint32_t size_ = 0;
  bool talking_ = false;
};

}  // namespace pw::sim
