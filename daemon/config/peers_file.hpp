// The file of discovery.file: [[peer]] blocks, as in a configuration, and nothing else. Other programs write it.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/files.hpp"
#include "config/problem.hpp"

namespace pw::config {

struct PeersFile {
  std::vector<Peer> peers;  // to be used only when there are no problems
  std::vector<Problem> problems;
  bool ok() const { return problems.empty(); }
};

PeersFile load_peers(const std::string& path, const Files& files);

}  // namespace pw::config
