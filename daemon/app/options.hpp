// The command line of peerwatchd.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace pw::app {

enum class Action : std::uint8_t { run, check_config, print_config, identity, version, help };

struct Invocation {
  Action action = Action::run;
  std::optional<std::string> config_file;  // empty: the standard files
  /// --section.key VALUE and --section.key=VALUE, in order. Whether such a key exists is config's to say.
  std::vector<std::pair<std::string, std::string>> overrides;
};

/// `arguments` without the program's name. An error is one line with a hint where an option is nearly one of ours.
Result<Invocation> parse_options(std::span<const std::string_view> arguments);

std::string help_text();

}  // namespace pw::app
