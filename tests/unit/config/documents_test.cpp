// The example configurations and docs/configuration.md say what the program does.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "config/keys.hpp"
#include "config/print.hpp"
#include "unit/config/fake_files.hpp"

namespace pw::config {
namespace {

using Lines = std::vector<std::string>;

std::filesystem::path root() { return PEERWATCH_ROOT; }

std::string read(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  REQUIRE(in);
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// The files that the examples name, as their comments say how to make them.
FakeFiles named_files() {
  return FakeFiles{}
      .with("/etc/peerwatch/secrets/current", std::string(32, 'c'), 0640)
      .with("/etc/peerwatch/secrets/previous", std::string(32, 'p'), 0640)
      .with("/etc/peerwatch/metrics.token", std::string(64, 't') + "\n", 0640);
}

/// "#key = value" and "#[[peer]]" without their "#"; "# prose" stays.
std::string uncommented(const std::string& text) {
  std::istringstream in{text};
  std::string out;
  for (std::string line; std::getline(in, line); out += line + "\n")
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') line.erase(0, 1);
  return out;
}

TEST_CASE("every example configuration is valid") {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{root() / "config"}) {
    if (entry.is_directory() && entry.path().filename() == "prometheus") continue;  // what Prometheus reads
    INFO(entry.path().filename().string());
    CHECK(entry.path().extension() == ".toml");
    CHECK(problems_of(read(entry.path()), named_files()) == Lines{});
    ++count;
  }
  CHECK(count >= 4);
}

TEST_CASE("peerwatch.toml changes nothing, and its commented defaults are the real ones") {
  const std::string text = read(root() / "config/peerwatch.toml");
  CHECK(load_text(text).config == Config{});
  const Loaded loaded = load_text(uncommented(text));
  REQUIRE(problems_of(loaded) == Lines{});
  REQUIRE(loaded.config.peers.size() == 1);
  CHECK(loaded.config.peers[0] == Peer{loaded.config.peers[0].id, "", false, {}});
  Config without_blocks = loaded.config;
  without_blocks.peers.clear();
  CHECK(without_blocks.bootstraps.size() == 1);
  CHECK(without_blocks.relays == without_blocks.bootstraps);
  without_blocks.bootstraps.clear();
  without_blocks.relays.clear();
  CHECK(without_blocks == Config{});
}

TEST_CASE("peerwatch.toml has every key, in its section, and tells which need a restart") {
  std::istringstream in{read(root() / "config/peerwatch.toml")};
  std::set<std::string> seen;
  std::string section;
  std::string prose;  // the comment before a key
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("[")) section = line.substr(1, line.size() - 2);
    if (line == "#[[peer]]" || line == "#[[bootstrap]]" || line == "#[[relay]]") section = line.substr(3, line.size() - 5);
    if (line.starts_with("# ")) prose += line;
    const auto equals = line.find(" = ");
    if (line.size() < 2 || line[0] != '#' || line[1] == ' ' || equals == std::string::npos) {
      if (!line.starts_with("# ")) prose.clear();
      continue;
    }
    const std::string key = section + "." + line.substr(1, equals - 1);
    INFO(key);
    CHECK(seen.insert(key).second);
    CHECK_FALSE(prose.empty());
    for (const auto& known : config_keys())
      if (known.name == key) CHECK(prose.ends_with("Restart.") == (known.effect == Effect::restart));
    prose.clear();
  }
  for (const auto& key : config_keys()) CHECK(seen.erase(key.name) == 1);
  for (const auto& key : peer_keys()) CHECK(seen.erase(key.name) == 1);
  for (const auto* keys : {&bootstrap_keys(), &relay_keys()})
    for (const auto& key : *keys) CHECK(seen.erase(key.name) == 1);
  CHECK(seen.empty());
}

/// "| a | b |" → a, b.
Lines cells(const std::string& row) {
  Lines out;
  std::istringstream in{row.substr(1)};
  for (std::string cell; std::getline(in, cell, '|');) {
    const auto first = cell.find_first_not_of(' ');
    out.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
  }
  return out;
}

template <class Target>
Lines expected_row(const Key<Target>& key, const Target& defaults, const std::string& no_default = {}) {
  // The default as --print-config writes it: the line of this key.
  std::string value = no_default;
  if constexpr (std::is_same_v<Target, Config>) {
    const std::string all = to_toml(defaults);
    auto at = all.find("[" + std::string{key.section()} + "]\n");
    at = all.find("\n" + std::string{key.leaf()} + " = ", at) + key.leaf().size() + 4;
    value = "`" + all.substr(at, all.find('\n', at) - at) + "`";
  }
  return {"`" + key.name + "`", key.type, value, key.range, std::string{name(key.effect)}};
}

TEST_CASE("docs/configuration.md has a row for every key, and none for others") {
  std::istringstream in{read(root() / "docs/configuration.md")};
  std::vector<Lines> rows;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("| `")) rows.push_back(cells(line));
  std::vector<Lines> expected;
  for (const auto& key : config_keys()) expected.push_back(expected_row(key, Config{}));
  const std::map<std::string, std::string> peer_defaults{
      {"peer.id", "required"}, {"peer.name", "`\"\"`"}, {"peer.always_label", "`false`"}, {"peer.addresses", "`[]`"}};
  for (const auto& key : peer_keys()) expected.push_back(expected_row(key, Peer{}, peer_defaults.at(key.name)));
  const std::map<std::string_view, std::string> server_defaults{
      {"id", "required"}, {"name", "`\"\"`"}, {"addresses", "`[]`"}, {"websocket", "`\"\"`"}};
  for (const auto* keys : {&bootstrap_keys(), &relay_keys()})
    for (const auto& key : *keys) expected.push_back(expected_row(key, Server{}, server_defaults.at(key.leaf())));
  REQUIRE(rows.size() == expected.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    INFO(expected[i][0]);
    REQUIRE(rows[i].size() == 6);
    CHECK(rows[i].back().size() > 10);  // its meaning, in words
    CHECK(Lines(rows[i].begin(), rows[i].end() - 1) == expected[i]);
  }
}

}  // namespace
}  // namespace pw::config
