// What no single key can tell: contradictions, and the files that keys name.
#include <catch2/catch_test_macros.hpp>

#include "config/print.hpp"
#include "unit/config/fake_files.hpp"

namespace pw::config {
namespace {

using Lines = std::vector<std::string>;

std::string peer(std::uint8_t number, const std::string& more = "") {
  return "[[peer]]\nid = \"" + peer_id_text(number) + "\"\n" + more;
}

TEST_CASE("a peer id and a name are given once") {
  const std::string id = peer_id_text(1);
  CHECK(problems_of(peer(1) + peer(2)).empty());
  CHECK(problems_of(peer(1) + peer(1)) ==
        Lines{"p.toml:4:6: peer.id: " + id.substr(0, 10) + "… is configured already, at p.toml:2:6"});
  CHECK(problems_of(peer(1, "name = \"a\"\n") + peer(2, "name = \"a\"\n")) ==
        Lines{"p.toml:6:8: peer.name: \"a\" is another peer's name already, at p.toml:3:8"});
  CHECK(problems_of(peer(1, "name = \"\"\n") + peer(2, "name = \"\"\n")).empty());
}

TEST_CASE("one UDP address a family, and at least one") {
  CHECK(problems_of("[network]\nlisten = [\"1.2.3.4:1\", \"[::1]:1\"]\n").empty());
  CHECK(
      problems_of("[network]\nlisten = [\"1.2.3.4:1\", \"1.2.3.5:1\"]\n") ==
      Lines{
          "p.toml:2:24: network.listen: at most one address of IPv4 and one of IPv6, so that a NAT sees one mapping"});
  CHECK(problems_of("[network]\nlisten = []\n").size() == 1);
}

TEST_CASE("a second address for STUN is another address and port than the one that is listened at") {
  const auto told = [](const std::string& listen, const std::string& alternate) {
    return problems_of("[network]\nlisten = [" + listen + "]\n[bootstrap_server]\nstun_alternate = [" + alternate + "]\n");
  };
  const std::string start = "p.toml:4:19: bootstrap_server.stun_alternate: ";
  CHECK(told("\"1.2.3.4:1\", \"[2001:db8::1]:1\"", "\"1.2.3.5:2\", \"[2001:db8::2]:2\"").empty());
  for (const char* same : {"\"1.2.3.4:2\"", "\"1.2.3.5:1\""})
    CHECK(told("\"1.2.3.4:1\"", same) == Lines{start + "address and port must both be others than 1.2.3.4:1 in network.listen"});
  for (const char* all : {"\"0.0.0.0:1\"", "\"[2001:db8::1]:1\""})
    CHECK(told(all, "\"1.2.3.5:2\"") == Lines{start + "network.listen must name one address of its family, not all"});
  CHECK(told("\"1.2.3.4:1\"", "\"0.0.0.0:2\"") == Lines{start + "0.0.0.0:2 is no address that anybody could be told"});
  CHECK(told("\"1.2.3.4:1\"", "\"1.2.3.5:2\", \"1.2.3.6:2\"") ==
        Lines{"p.toml:4:32: bootstrap_server.stun_alternate: at most one address of IPv4 and one of IPv6"});
}

TEST_CASE("a listener beyond loopback needs a token, or consent") {
  const std::string open = "[http]\nlisten = [\"127.0.0.1:1\", \"0.0.0.0:9470\"]\n";
  CHECK(problems_of(open) ==
        Lines{"p.toml:2:26: http.listen: 0.0.0.0:9470 is beyond loopback, and anybody who reaches it "
              "could read everything (hint: set http.metrics_token_file, or "
              "http.allow_unauthenticated = true)"});
  CHECK(problems_of(open + "allow_unauthenticated = true\n").empty());
  FakeFiles files;
  files.with("/t", std::string(32, 't'));
  CHECK(problems_of(open + "metrics_token_file = \"/t\"\n", files).empty());
  CHECK(problems_of(open + "admin_token_file = \"/t\"\n", files).size() == 1);
  CHECK(problems_of("[http]\nlisten = [\"[::1]:1\", \"127.9.9.9:1\"]\n").empty());
  CHECK(problems_of("[http]\nlisten = []\n").empty());
}

TEST_CASE("waits between dials are in order") {
  CHECK(problems_of("[recovery]\nretry_initial = \"2m\"\n") ==
        Lines{"p.toml:2:17: recovery.retry_initial (2m) must not be longer than recovery.retry_max (1m)"});
  CHECK(problems_of("[recovery]\nretry_initial = \"1m\"\nretry_max = \"1m\"\n").empty());
  CHECK(load({{}, {}, {{"recovery.retry_initial", "3s"}, {"recovery.retry_max", "2s"}}}, FakeFiles{}).problems.size() ==
        1);
}

TEST_CASE("admission by secret needs one") {
  CHECK(problems_of("[mesh]\nadmission = \"secret\"\n") ==
        Lines{"p.toml:2:13: mesh.admission: \"secret\" needs mesh.secret_files"});
  FakeFiles files;
  const std::string current(32, '\0');  // any bytes, a trailing newline included
  files.with("/current", current, 0640).with("/previous", "previous previous previous previous\n", 0400);
  const Loaded loaded =
      load_text("[mesh]\nadmission = \"secret\"\nsecret_files = [\"/current\", \"/previous\"]\n", files);
  REQUIRE(problems_of(loaded).empty());
  CHECK(loaded.config.secrets == Lines{current, "previous previous previous previous\n"});
}

TEST_CASE("a secret file must exist, be long enough and be private") {
  FakeFiles files;
  files.with("/short", std::string(31, 's'))
      .with("/open", std::string(32, 's'), 0644)
      .with("/huge", std::string(4097, 's'));
  files.with("/writable", std::string(32, 's'), 0602);
  CHECK(problems_of("[mesh]\nsecret_files = [\n\"/none\",\n\"/short\",\n \"/open\",\n \"/huge\"]\n", files) ==
        Lines{"p.toml:3:1: secret file \"/none\" can't be opened: No such file or directory",
              "p.toml:4:1: secret file \"/short\" has 31 bytes, at least 32 random ones are needed (hint: head -c 32 "
              "/dev/urandom > FILE)",
              "p.toml:5:2: secret file \"/open\" may be read or changed by every user of this machine (hint: chmod o= "
              "/open)",
              "p.toml:6:2: secret file \"/huge\" is larger than the limit"});
  CHECK(problems_of("[mesh]\nsecret_files = [\"/writable\"]\n", files).size() == 1);
}

TEST_CASE("a token file holds one private line") {
  const std::string token(32, 't');
  FakeFiles files;
  files.with("/t", token + "\r\n")
      .with("/two", token + "\n" + token)
      .with("/short", "short\n")
      .with("/open", token, 0604);
  const Loaded good = load_text("[http]\nmetrics_token_file = \"/t\"\n", files);
  CHECK(problems_of(good).empty());
  CHECK(good.config.metrics_token == token);
  CHECK(good.config.admin_token.empty());
  CHECK(load_text("[http]\nadmin_token_file = \"/t\"\n", files).config.admin_token == token);
  const auto with = [&](const std::string& path) {
    return problems_of("[http]\nadmin_token_file = \"" + path + "\"\n", files);
  };
  CHECK(with("/two") ==
        Lines{"p.toml:2:20: token file \"/two\" must hold one line of visible ASCII characters without spaces"});
  CHECK(with("/short") ==
        Lines{"p.toml:2:20: token file \"/short\" has 5 bytes, at least 32 random ones are needed (hint: "
              "openssl rand -hex 32)"});
  CHECK(with("/open").size() == 1);
  CHECK(with("/none") == Lines{"p.toml:2:20: token file \"/none\" can't be opened: No such file or directory"});
}

TEST_CASE("nothing is said about the consequences of a key that was written wrongly") {
  CHECK(problems_of("[mesh]\nadmission = \"secret\"\nsecret_files = 5\n").size() == 1);
  CHECK(problems_of("[recovery]\nretry_initial = \"1h\"\nretry_max = \"soon\"\n").size() == 1);
  CHECK(problems_of("[http]\nlisten = [\"0.0.0.0:1\"]\nmetrics_token_file = 1\n").size() == 1);
}

TEST_CASE("servers need an address, and one that is both goes by one name") {
  const std::string id = "id = \"" + peer_id_text(1) + "\"\n";
  const std::string there = "addresses = [\"192.0.2.1:1\"]\n";
  CHECK(problems_of("[[bootstrap]]\n" + id + there + "[[relay]]\n" + id + there).empty());
  CHECK(problems_of("[[bootstrap]]\n" + id) == Lines{"p.toml:1:1: a [[bootstrap]] needs addresses, or a websocket"});
  CHECK(problems_of("[[relay]]\n" + id + "websocket = \"wss://relay.example/relay\"\n").empty());
  CHECK(problems_of("[[relay]]\n" + there).size() == 1);  // no id
  CHECK(problems_of("[[relay]]\n" + id + there + "[[relay]]\n" + id + there).size() == 1);
  CHECK(problems_of("[[bootstrap]]\nname = \"a\"\n" + id + there + "[[relay]]\nname = \"b\"\n" + id + there) ==
        Lines{"p.toml:6:8: relay.name: the [[bootstrap]] with this id is called \"a\": give both one name"});
  CHECK(problems_of("[node]\nroles = []\n").size() == 1);
  CHECK(problems_of("[node]\nroles = [\"peer\", \"relais\"]\n").size() == 1);
}

TEST_CASE("a WebSocket needs a role that serves, a certificate, and a key that others can't read") {
  FakeFiles files;
  files.with("/c", "certificate", 0644).with("/k", "key").with("/open", "key", 0644);
  const auto told = [&](const std::string& roles, const std::string& more) {
    return problems_of("[node]\nroles = [" + roles + "]\n[relay_server]\nwebsocket_listen = \"0.0.0.0:443\"\n" + more, files);
  };
  const std::string both = "tls_certificate = \"/c\"\ntls_key = \"/k\"\n";
  CHECK(told("\"relay\"", both).empty());
  CHECK(told("\"bootstrap\"", both).empty());
  CHECK(told("\"peer\"", both) ==
        Lines{"p.toml:4:20: relay_server.websocket_listen: needs the role relay or bootstrap in node.roles"});
  CHECK(told("\"relay\"", "").size() == 2);
  CHECK(told("\"relay\"", "tls_certificate = \"/none\"\ntls_key = \"/k\"\n") ==
        Lines{"p.toml:5:19: certificate file \"/none\" can't be opened: No such file or directory"});
  CHECK(told("\"relay\"", "tls_certificate = \"/c\"\ntls_key = \"/open\"\n") ==
        Lines{"p.toml:6:11: key file \"/open\" may be read or changed by every user of this machine (hint: chmod o= /open)"});
  const Loaded good = load_text("[relay_server]\n" + both, files);
  CHECK(good.config.tls_certificate == "certificate");
  CHECK(good.config.tls_key == "key");
  CHECK(problems_of("[relay_server]\nwebsocket_listen = \"443\"\n").size() == 1);
  CHECK(problems_of("[relay_server]\nwebsocket_listen = \"\"\n").empty());
}

TEST_CASE("printing shows no secret") {
  FakeFiles files;
  const std::string secret = "SECRETSECRETSECRETSECRETSECRETSECRET";
  const std::string token = "TOKENTOKENTOKENTOKENTOKENTOKENTOKENTOKEN";
  files.with("/s", secret).with("/t", token);
  const Loaded loaded = load_text(
      "[mesh]\nadmission=\"secret\"\nsecret_files=[\"/s\"]\n[http]\nmetrics_token_file=\"/t\"\nadmin_token_file=\"/"
      "t\"\n",
      files);
  REQUIRE(loaded.ok());
  REQUIRE(loaded.config.secrets == Lines{secret});
  REQUIRE(loaded.config.admin_token == token);
  for (const std::string& text : {to_toml(loaded.config), to_json(loaded.config)}) {
    CHECK(text.find("SECRET") == std::string::npos);
    CHECK(text.find("TOKEN") == std::string::npos);
    CHECK(text.find("\"/s\"") != std::string::npos);
  }
}

}  // namespace
}  // namespace pw::config
