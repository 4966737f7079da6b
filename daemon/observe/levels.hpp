// Log levels per room: "info,quic=debug".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/names.hpp"
#include "base/result.hpp"

namespace pw::observe {

enum class Level : std::uint8_t { debug, info, warning, error, off };
constexpr auto names(Level) {
  using namespace std::string_view_literals;
  return std::array{"debug"sv, "info"sv, "warning"sv, "error"sv, "off"sv};
}

/// The part of the daemon that a line is about.
enum class Room : std::uint8_t { app, config, http, io, mesh, peer, probe, quic };
constexpr auto names(Room) {
  using namespace std::string_view_literals;
  return std::array{"app"sv, "config"sv, "http"sv, "io"sv, "mesh"sv, "peer"sv, "probe"sv, "quic"sv};
}

/// The least level that is written, by Room.
using Levels = std::array<Level, enum_count<Room>()>;

constexpr Levels all_at(Level level) {
  Levels out{};
  out.fill(level);
  return out;
}

/// `LEVEL` or `LEVEL,ROOM=LEVEL,…` in any order; the last word on a room holds; without a bare level it is info.
/// "warn" is taken for warning. The error names what was not understood, and what would be.
Result<Levels> parse_levels(std::string_view text);

}  // namespace pw::observe
