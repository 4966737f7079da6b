// Fault: something that went wrong in a world, kept as ground truth: what, where, from when to when, and what it has to
// cause. Whoever makes one records it by World::begin; Faults (inflict.hpp) does, for scripts and at random.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/names.hpp"
#include "base/time.hpp"

namespace pw::sim {

enum class FaultKind : std::uint8_t {
  crash,            // a process is gone, later started again
  stopped,          // SIGSTOP
  suspended,        // the machine sleeps
  frozen,           // no CPU for it
  slow,             // every packet costs it time
  link_down,        // of a pair, both ways
  one_way,          // of a pair, one direction black
  large_lost,       // of a pair: packets above a size vanish
  loss,
  bursts,
  delay,
  jitter,
  reorder,
  duplicate,
  corrupt,
  throttled,        // a low rate with a short queue
  interface_down,   // a machine is unplugged
  address_change,   // a machine gets another address
  nat_reboot,
  nat_addresses,    // a NAT's public address changes
  names_down,       // DNS answers nobody
  noise             // packets forged, replayed, bent
};
constexpr auto names(FaultKind) {
  using namespace std::string_view_literals;
  return std::array{"crash"sv,   "stopped"sv,   "suspended"sv, "frozen"sv,    "slow"sv,           "link_down"sv,
                    "one_way"sv, "large_lost"sv, "loss"sv,     "bursts"sv,    "delay"sv,          "jitter"sv,
                    "reorder"sv, "duplicate"sv, "corrupt"sv,   "throttled"sv, "interface_down"sv, "address_change"sv,
                    "nat_reboot"sv, "nat_addresses"sv, "names_down"sv, "noise"sv};
}

/// What a fault may do to the sessions that it touches.
enum class Effect : std::uint8_t {
  none,         // nothing may be lost: a few samples differ
  degrades,     // measurements change; no path may be called dead for it, unless its parameters say so
  kills_path,   // a path over it is dead within Liveness' limit, if it lasts that long
  kills_session // sessions of the host end
};
constexpr auto names(Effect) {
  using namespace std::string_view_literals;
  return std::array{"none"sv, "degrades"sv, "kills_path"sv, "kills_session"sv};
}

struct Fault {
  FaultKind kind = FaultKind::noise;
  std::optional<std::size_t> host;    // whose; none: everybody's (names_down)
  std::optional<std::size_t> other;   // of a pair: packets from host to other
  std::string router;                 // of a NAT's
  Instant start{};
  std::optional<Instant> end;         // none: still there
  double amount = 0;                  // what its kind has: a probability, seconds, bytes a second
  Effect effect = Effect::none;

  bool active(Instant at) const { return at >= start && (!end || at < *end); }
  /// Whether it touches what happens between these two.
  bool touches(std::size_t a, std::size_t b) const;
  std::string to_string() const;
};

}  // namespace pw::sim
