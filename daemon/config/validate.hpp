// What no single key can tell: keys that contradict one another, and the files that they name.
#pragma once

#include "config/config.hpp"
#include "config/files.hpp"
#include "config/overlay.hpp"
#include "config/problem.hpp"

namespace pw::config {

/// Reads secret and token files into `config`.
void read_secret_files(Config& config, const Overlay& overlay, const Files& files, Problems& problems);
/// Ids and names of [[peer]] blocks are given once.
void check_peers(const Config& config, const Overlay& overlay, Problems& problems);
/// Needs the outcome of read_secret_files.
void check_consistency(const Config& config, const Overlay& overlay, Problems& problems);

}  // namespace pw::config
