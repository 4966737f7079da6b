// Document: what somebody wrote, before it means anything: values with their places. The same for files, environment
// and command line, so that everything after it is written once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/problem.hpp"

namespace pw::config {

struct Member;

struct Raw {
  /// A date, a time, or something nested deeper than any key.
  struct Other {
    std::string what;
  };
  using List = std::vector<Raw>;
  using Table = std::vector<Member>;  // in the order of places
  Place place;
  std::variant<Other, bool, std::int64_t, double, std::string, List, Table> value;

  /// "the integer 5", "a list", …, for "expected …, found …".
  std::string describe() const;
};

struct Member {
  std::string name;
  Place place;  // of the name
  Raw value;
};

/// Section → key → list → element: what is nested deeper becomes Other.
inline constexpr int kDeepest = 5;

/// TOML 1.0. A file that is not well-formed gives one problem and an empty table: what follows the first error of
/// syntax can't be trusted. Any bytes are safe: length, nesting and dotted names are limited before they cost a stack.
Raw::Table parse_toml(const std::string& file, std::string_view text, Problems& problems, int deepest = kDeepest);

}  // namespace pw::config
