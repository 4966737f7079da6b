// The file that discovery.file names: blocks of peers, and nothing else.
#include "config/peers_file.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/config/fake_files.hpp"

namespace pw::config {
namespace {

PeersFile of(const std::string& text) { return load_peers(kFile, FakeFiles{}.with(kFile, text)); }

std::vector<std::string> said(const PeersFile& file) {
  std::vector<std::string> out;
  for (const Problem& p : file.problems) out.push_back(p.to_string());
  return out;
}

TEST_CASE("a file of peers is read like the blocks of a configuration") {
  const auto file = of("[[peer]]\nid = \"" + peer_id_text(1) + "\"\nname = \"b\"\naddresses = [\"b.example:1\"]\n[[peer]]\nid = \"" +
                       peer_id_text(2) + "\"\n");
  REQUIRE(file.ok());
  REQUIRE(file.peers.size() == 2);
  CHECK(file.peers[0].name == "b");
  CHECK(file.peers[0].addresses == std::vector<HostPort>{{"b.example", 1}});
  CHECK(of("").ok());
}

TEST_CASE("everything that is wrong with it is told at its place, and nothing but peers may stand there") {
  CHECK(said(of("[http]\nlisten = []\n[[peer]]\nid = \"short\"\n")).size() == 2);
  CHECK(said(of("[node]\nname = \"x\"\n")) ==
        std::vector<std::string>{"p.toml:1:2: \"node\": this file has [[peer]] blocks and nothing else"});
  const std::string twice = "[[peer]]\nid = \"" + peer_id_text(1) + "\"\n";
  CHECK(said(of(twice + twice)).size() == 1);
  CHECK_FALSE(of("[[peer]\n").ok());
  CHECK(said(load_peers("absent.toml", FakeFiles{})) ==
        std::vector<std::string>{"absent.toml: can't be opened: No such file or directory"});
}

}  // namespace
}  // namespace pw::config
