// Files, environment, command line: later wins.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/keys.hpp"
#include "config/print.hpp"
#include "unit/config/fake_files.hpp"

namespace pw::config {
namespace {

using Lines = std::vector<std::string>;

Loaded from_environment(const std::map<std::string, std::string>& environment) {
  return load({{}, environment, {}}, FakeFiles{});
}
Loaded from_options(const std::vector<std::pair<std::string, std::string>>& options) {
  return load({{}, {}, options}, FakeFiles{});
}

TEST_CASE("without any source the defaults hold, and are valid") {
  const Loaded loaded = load({}, FakeFiles{});
  CHECK(loaded.ok());
  CHECK(loaded.config == Config{});
  REQUIRE(loaded.config.network.listen.size() == 2);
  CHECK(loaded.config.network.listen[1].to_string() == "[::]:9470");
}

TEST_CASE("later files, then the environment, then the command line win, key by key") {
  FakeFiles files;
  files.with("a", "[mesh]\nname = \"a\"\nmax_sessions = 1\n[log]\nlevel = \"error\"\n[node]\nname = \"a\"\n");
  files.with("b", "[mesh]\nname = \"b\"\nmax_sessions = 2\n[log]\nlevel = \"off\"\n");
  const Loaded loaded = load({{"a", "b"},
                              {{"PEERWATCH_MESH_NAME", "c"}, {"PEERWATCH_MESH_MAX_SESSIONS", "3"}, {"HOME", "/"}},
                              {{"mesh.name", "d"}}},
                             files);
  REQUIRE(problems_of(loaded).empty());
  CHECK(loaded.config.node.name == "a");
  CHECK(loaded.config.log.level == "off");
  CHECK(loaded.config.mesh.max_sessions == 3);
  CHECK(loaded.config.mesh.name == "d");
}

TEST_CASE("peers of all files add up, and keep their order") {
  FakeFiles files;
  files.with("a", "[[peer]]\nid = \"" + peer_id_text(9) + "\"\nname = \"nine\"\nalways_label = true\n");
  files.with("b",
             "[[peer]]\nid = \"" + peer_id_text(2) + "\"\naddresses = [\"node-b.example:1\", \"[2001:db8::1]:2\"]\n");
  const Loaded loaded = load({{"a", "b"}, {}, {}}, files);
  REQUIRE(problems_of(loaded).empty());
  REQUIRE(loaded.config.peers.size() == 2);
  CHECK(loaded.config.peers[0].name == "nine");
  CHECK(loaded.config.peers[0].always_label);
  CHECK(loaded.config.peers[1].id.to_string() == peer_id_text(2));
  CHECK(loaded.config.peers[1].addresses == std::vector<HostPort>{{"node-b.example", 1}, {"2001:db8::1", 2}});
  CHECK(problems_of(load({{"a", "a"}, {}, {}}, files)).size() == 2);
}

TEST_CASE("the environment names its variable, the command line its option") {
  CHECK(problems_of(from_environment({{"PEERWATCH_PROBE_RTT_INTERVAL", "10ms"}})) ==
        Lines{"PEERWATCH_PROBE_RTT_INTERVAL: probe.rtt_interval: must be from 100ms to 1h, not 10ms"});
  CHECK(problems_of(from_options({{"mesh.max_sessions", "many"}})) ==
        Lines{"--mesh.max_sessions: mesh.max_sessions: expected an integer like 10000, found \"many\""});
  CHECK(problems_of(from_options({{"http.allow_unauthenticated", "yes"}})).size() == 1);
  CHECK(from_options({{"http.allow_unauthenticated", "true"}}).config.http.allow_unauthenticated);
}

TEST_CASE("lists are separated by commas, and a repeated option adds to its list") {
  const std::vector<SocketAddress> two{*SocketAddress::parse("127.0.0.1:1"), *SocketAddress::parse("[::1]:2")};
  CHECK(from_environment({{"PEERWATCH_HTTP_LISTEN", "127.0.0.1:1, [::1]:2"}}).config.http.listen == two);
  CHECK(from_options({{"http.listen", "127.0.0.1:1"}, {"http.listen", "[::1]:2"}}).config.http.listen == two);
  CHECK(from_environment({{"PEERWATCH_HTTP_LISTEN", ""}}).config.http.listen.empty());
  CHECK(load({{}, {{"PEERWATCH_HTTP_LISTEN", "127.0.0.1:3"}}, {{"http.listen", "127.0.0.1:1,[::1]:2"}}}, FakeFiles{})
            .config.http.listen == two);
  CHECK(from_options({{"log.level", "info,quic=debug"}}).config.log.level == "info,quic=debug");
  CHECK(from_options({{"mesh.name", "a"}, {"mesh.name", "b"}}).config.mesh.name == "b");
  CHECK(problems_of(from_environment({{"PEERWATCH_HTTP_LISTEN", "127.0.0.1:1,,[::1]:2"}})).size() == 1);
}

TEST_CASE("misspelt variables and options are refused, other programs' variables are not") {
  CHECK(problems_of(from_environment({{"PEERWATCH_HTTP_LISTNE", "x"}})) ==
        Lines{"PEERWATCH_HTTP_LISTNE: no key has this variable (hint: did you mean \"PEERWATCH_HTTP_LISTEN\"?)"});
  CHECK(problems_of(from_environment({{"PEERWATCH_HTTP_COLOUR", "x"}})) ==
        Lines{"PEERWATCH_HTTP_COLOUR: no key has this variable"});
  CHECK(from_environment({{"PEERWATCH_URL", "x"},
                          {"PEERWATCH_SOCKET", "x"},
                          {"PEERWATCH_HTTP_SERVICE_HOST", "10.0.0.1"},
                          {"PEERWATCH_HTTP_PORT_9470_TCP_ADDR", "10.0.0.1"},
                          {"OTHER_HTTP_LISTNE", "x"}})
            .ok());
  CHECK(problems_of(from_options({{"http.listne", "x"}})) ==
        Lines{"--http.listne: unknown key \"http.listne\" (hint: did you mean \"http.listen\"?)"});
  CHECK(problems_of(from_options({{"", "x"}, {"export.interval", "1s"}})).size() == 2);
}

TEST_CASE("bytes that are no text can't get in through the environment") {
  const Loaded loaded = from_environment({{"PEERWATCH_NODE_STATE_DIR", "/\xff\x1b[0m"}});
  CHECK(problems_of(loaded) == Lines{"PEERWATCH_NODE_STATE_DIR: node.state_dir: a path must be UTF-8 without control "
                                     "characters, found \"/\\xff\\x1b[0m\""});
}

TEST_CASE("a file that can't be read is a problem of its own, and does not hide the others") {
  FakeFiles files;
  files.with("b", "[log]\nlevel = 1\n");
  CHECK(problems_of(load({{"a", "b"}, {}, {}}, files)) ==
        Lines{"a: can't be opened: No such file or directory",
              "b:2:9: log.level: expected a level in quotation marks like \"info,quic=debug\", found the integer 1"});
}

TEST_CASE("the standard files are peerwatch.toml and conf.d in order") {
  FakeFiles files;
  files.with("/etc/pw/peerwatch.toml", "").with("/etc/pw/conf.d/20.toml", "").with("/etc/pw/conf.d/10.toml", "");
  files.with("/etc/pw/conf.d/10.toml.bak", "").with("/etc/pw/conf.d/.hidden.toml", "").with("/etc/pw/other.toml", "");
  CHECK(*standard_files(files, "/etc/pw") ==
        Lines{"/etc/pw/peerwatch.toml", "/etc/pw/conf.d/10.toml", "/etc/pw/conf.d/20.toml"});
  CHECK(standard_files(FakeFiles{}, "/etc/pw")->empty());
}

TEST_CASE("real files: contents, mode, limits, and what is no file") {
  namespace fs = std::filesystem;
  std::string folder = (fs::temp_directory_path() / "config-test-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  struct Remove {
    std::string path;
    ~Remove() { fs::remove_all(path); }
  } const cleanup{folder};
  const std::string path = folder + "/a.toml";
  std::ofstream{path} << "12345";
  fs::permissions(path, fs::perms{0640});
  const SystemFiles files;
  const auto contents = files.read(path, 5);
  REQUIRE(contents);
  CHECK(contents->bytes == "12345");
  CHECK(contents->mode == 0640);
  CHECK(files.read(path, 4).error().detail == "is larger than 4B");
  CHECK(files.read(folder + "/none", 5).error().detail == "can't be opened: No such file or directory");
  CHECK(files.read(folder, 5).error().detail == "is not a regular file");
  CHECK(*files.list(folder) == Lines{"a.toml"});
  CHECK(files.list(folder + "/none")->empty());
  CHECK_FALSE(files.list(path));
}

TEST_CASE("a reload tells what needs a restart") {
  Config before;
  Config after = before;
  CHECK(differences(before, after).reload.empty());
  CHECK(differences(before, after).restart.empty());
  after.peers.push_back({*PeerId::parse(peer_id_text(1)), "", false, {}});
  after.probe.rtt_interval = 7s;
  after.log.level = "debug";
  after.secrets = {"x"};
  after.metrics_token = "x";
  after.node.name = "b";
  after.http.listen.clear();
  after.privacy.peer_id = PeerIdPrivacy::hashed;
  const Differences d = differences(before, after);
  CHECK(d.reload == Lines{"mesh.secret_files", "probe.rtt_interval", "log.level", "http.metrics_token_file", "peer"});
  CHECK(d.restart == Lines{"node.name", "privacy.peer_id", "http.listen"});
}

}  // namespace
}  // namespace pw::config
