// docs/metrics.md describes exactly what is served: every family with its type and labels, and no other.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "exposition_reader.hpp"
#include "full_scrape.hpp"

using namespace pw;
using namespace pw::test;

namespace {

struct Described {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const Described&) const = default;
};

std::string trim(std::string text) {
  const auto from = text.find_first_not_of(" `");
  const auto to = text.find_last_not_of(" `");
  return from == text.npos ? "" : text.substr(from, to - from + 1);
}

/// Rows `| name | type | labels | meaning |` whose name is in back quotes; " S" may follow it.
std::map<std::string, Described> read_doc() {
  const auto path = std::filesystem::path{PEERWATCH_ROOT} / "docs/metrics.md";
  std::ifstream file{path};
  REQUIRE(file);
  std::map<std::string, Described> out;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    std::istringstream cells{line.substr(1)};
    std::string name, type, labels, meaning;
    REQUIRE(std::getline(cells, name, '|'));
    REQUIRE(std::getline(cells, type, '|'));
    REQUIRE(std::getline(cells, labels, '|'));
    REQUIRE(std::getline(cells, meaning, '|'));
    INFO(line);
    CHECK(trim(meaning).size() > 10);
    Described one{trim(type), {}};
    std::istringstream words{labels};
    for (std::string label; std::getline(words, label, ',');)
      if (!trim(label).empty()) one.labels.insert(trim(label));
    name = name.substr(name.find('`') + 1);
    CHECK(out.emplace(name.substr(0, name.find('`')), one).second);
  }
  return out;
}

}  // namespace

TEST_CASE("docs/metrics.md and /metrics agree, both ways") {
  const auto documented = read_doc();
  const auto exposed = Exposed::read(full_scrape(observe::Exposition::text), observe::Exposition::text);
  CHECK(documented.size() > 50);
  for (const auto& [name, family] : exposed.families) {
    INFO(name);
    Described found{family.type, {}};
    for (const Sample& s : family.samples)
      for (const auto& [label, value] : s.labels)
        if (label != "le") found.labels.insert(label);
    REQUIRE(documented.contains(name));
    CHECK(documented.at(name).type == found.type);
    CHECK(documented.at(name).labels == found.labels);
  }
  for (const auto& [name, described] : documented) {
    INFO(name);
    // Written only where the process has such a limit.
    if (name != "process_virtual_memory_max_bytes") CHECK(exposed.families.contains(name));
  }
}
