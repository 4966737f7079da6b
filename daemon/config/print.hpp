// The configuration as text. Only keys are printed: the contents of secret and token files never are.
#pragma once

#include <string>

#include "config/config.hpp"

namespace pw::config {

/// The effective configuration as TOML, which load() reads back to the same Config.
std::string to_toml(const Config& config);
/// The same as JSON: an object a section, "peer" a list.
std::string to_json(const Config& config);
/// A line or two for every key, for --help.
std::string key_help();

}  // namespace pw::config
