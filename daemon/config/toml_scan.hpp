// What must hold before toml++ is let at bytes. Versions 3.3 and 3.4 have undefined behaviour on some text that is no
// TOML (characters beyond ASCII outside quotes, a bracket without a name), and build a table in a table for every dot.
// All of that is refused here, at its place; so are strings of several lines, which no key of ours needs.
#pragma once

#include <string>
#include <string_view>

#include "config/problem.hpp"

namespace pw::config {

/// Tables are destroyed by recursion: with eight nested values at most, this bounds it to some 600 levels.
inline constexpr unsigned kMostDotsPerLine = 64;

/// True if toml++ may parse it; otherwise one problem was added. O(size).
bool is_safe_toml(const std::string& file, std::string_view text, Problems& problems);

}  // namespace pw::config
