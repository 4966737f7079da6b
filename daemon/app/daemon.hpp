// The running daemon: from a configuration to its end.
#pragma once

#include <map>
#include <string>

#include "app/options.hpp"
#include "config/config.hpp"

namespace pw::app {

inline constexpr int kExitGood = 0;
inline constexpr int kExitFailed = 1;         // worth a restart
inline constexpr int kExitConfiguration = 2;  // not worth one: somebody has to change something

/// Returns the exit code. What prevents a start is one line on stderr.
int run_daemon(const Invocation& invocation, const std::map<std::string, std::string>& environment,
               const config::Config& config);

}  // namespace pw::app
