// load: files, environment and command line → Config, or every problem at once.
//
// Later wins: built-in defaults, the files in order, the environment, the command line. [[peer]] blocks add up. Reads
// only what it is handed: the environment is a map, files come through `Files`.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/files.hpp"
#include "config/problem.hpp"

namespace pw::config {

struct Sources {
  std::vector<std::string> files;                  // see standard_files()
  std::map<std::string, std::string> environment;  // all of it; other programs' variables are left alone
  /// "section.key" and value, as given: a repeated list adds up, a repeated scalar's last one counts.
  std::vector<std::pair<std::string, std::string>> overrides;
};

struct Loaded {
  Config config;  // to be used only when there are no problems
  std::vector<Problem> problems;
  bool ok() const { return problems.empty(); }
};

inline constexpr std::size_t kLargestFile = 1 << 20;  // 10000 peers with three addresses each fit in
inline constexpr std::size_t kShortestSecret = 32;    // bytes: 256 bits, if they are random
inline constexpr std::size_t kLargestSecret = 4096;
/// A chain of a few RSA certificates, or a key.
inline constexpr std::size_t kLargestPem = 64 << 10;

Loaded load(const Sources& sources, const Files& files);

/// "PEERWATCH_HTTP_LISTEN" for "http.listen".
std::string environment_name(std::string_view key);

/// The keys whose values differ, by when they take effect; "peer" stands for the [[peer]] blocks. A secret or token
/// file counts as changed when its contents did.
struct Differences {
  std::vector<std::string> reload;
  std::vector<std::string> restart;
};
Differences differences(const Config& before, const Config& after);

}  // namespace pw::config
