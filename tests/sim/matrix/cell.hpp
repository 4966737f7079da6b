// Cells: pairs of places that two daemons are tried in, and the best that can come of each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/nat/homes.hpp"

namespace pw::sim::matrix {

/// The best that two NATs allow. `websocket`: the relay, but not by UDP.
enum class Best : std::uint8_t { punch, prediction, birthday, relay, websocket };
constexpr auto names(Best) {
  using namespace std::string_view_literals;
  return std::array{"punch"sv, "prediction"sv, "birthday"sv, "relay"sv, "websocket"sv};
}
/// As the matrix writes it.
constexpr char letter(Best best) { return "PSBRW"[static_cast<std::size_t>(best)]; }

/// What came of it. `apart`: they are not connected at all.
enum class Outcome : std::uint8_t { direct, relayed, apart };
constexpr auto names(Outcome) {
  using namespace std::string_view_literals;
  return std::array{"direct"sv, "relayed"sv, "apart"sv};
}

constexpr Outcome expected(Best best) {
  return best == Best::relay || best == Best::websocket ? Outcome::relayed : Outcome::direct;
}

struct Cell {
  std::string first;
  std::string second;
  Best best = Best::punch;
  /// Addresses of a machine, or a mapped port, answer: no attempt is needed, and none is told.
  bool by_itself = false;
  event::TraversalMethod method = event::TraversalMethod::none;  // of the attempt that succeeds
  event::TraversalFailure failure = event::TraversalFailure::none;  // of the one that does not
  /// By which protocol the router of `first` maps its port; of `second` too, if it does.
  std::optional<event::MappingProtocol> mapped = {};
  std::function<void(TwoHomes&)> settle;  // makes a and b
  std::string name() const { return first + "," + second; }
};

/// All ordered pairs of the nine columns, then what is no column.
std::vector<Cell> all_cells();

}  // namespace pw::sim::matrix
