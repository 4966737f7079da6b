// Every class of error, at its exact line and column.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "config/keys.hpp"
#include "observe/levels.hpp"
#include "unit/config/fake_files.hpp"

namespace pw::config {
namespace {

using Lines = std::vector<std::string>;

std::string only(const std::string& text, FakeFiles files = {}) {
  const Lines all = problems_of(text, std::move(files));
  REQUIRE(all.size() == 1);
  return all[0];
}

TEST_CASE("an error of syntax is told where it is") {
  CHECK(only("[http]\nlisten = [\n").starts_with("p.toml:2:12: this is not TOML: "));
  CHECK(only("[log]\nlevel = \"info\"\nlevel = \"debug\"\n").starts_with("p.toml:3:"));
  CHECK(only("a = \"\xff\"").starts_with("p.toml:1:"));
  const std::string slip = only("# a comment\n[log]\nlevel = info\n");
  CHECK(slip.starts_with("p.toml:3:"));
  CHECK(slip.ends_with(" (hint: text is written in quotation marks)"));
  CHECK(only("[log]\nlevel =\n").find("hint") == std::string::npos);
  CHECK(only("[log]\n[=]\n").starts_with("p.toml:2:2: this is not TOML: "));
  CHECK(only("[[\x0e]]\n").starts_with("p.toml:1:3: this is not TOML: "));
}

TEST_CASE("characters beyond ASCII stand in quotes and comments only, and count as one column") {
  CHECK(problems_of("\xef\xbb\xbf# ü\n[node] # é\nstate_dir = \"/ü\" # ö\n").empty());
  CHECK(only("[node]\nname = ü\n") ==
        "p.toml:2:8: this is not TOML: only quoted text and comments may have characters beyond ASCII");
  CHECK(only("[node]\n\"ü\\\"ü\".a = 'ö\\' é\n").starts_with("p.toml:2:17: this is not TOML: only quoted text"));
  CHECK(only("[node]\nname = \"open\nü\n").starts_with("p.toml:2:"));
}

TEST_CASE("a quote in the middle of a value is refused before toml++ sees what follows it") {
  CHECK(only("[node]\nname = 20'\xc3\xa9'\n") ==
        "p.toml:2:10: this is not TOML: there is a quote in the middle of a value");
}

TEST_CASE("strings of several lines are refused, empty strings are not") {
  CHECK(problems_of("[node]\nname = \"\"\n[http]\nadmin_token_file = ''\n").empty());
  CHECK(only("[node]\nname = \"\"\"a\"\"\"\n") ==
        "p.toml:2:8: this is not TOML: a string of several lines has no use here");
  CHECK(only("[node]\nname = '''a'''\n") == "p.toml:2:8: this is not TOML: a string of several lines has no use here");
  CHECK(problems_of("[node]\nstate_dir = \"'''\" # \"\"\"\n").empty());
}

TEST_CASE("a bracket without a name is an error of syntax, not the end of the process") {
  for (const auto* bad : {"[&", "[\n", "[[[a]]]", "[[=", "[[&"}) {
    INFO(bad);
    const std::string problem = only("[log]\n" + std::string{bad});
    CHECK(problem.starts_with("p.toml:2:"));
    CHECK(problem.find("this is not TOML: ") != std::string::npos);
  }
  // A bracket at the start of a line inside a list is no header.
  CHECK(only("[mesh]\ndeny = [\n[{a = 1}],\n]\n") ==
        "p.toml:3:1: mesh.deny: expected a peer id in quotation marks like \"…52 characters…\", found a list");
  CHECK(problems_of("[http]\nlisten = [\n  \"127.0.0.1:1\",\n]\n").empty());
  CHECK(only("[log]\n  [\nlevel = 1\n") ==
        "p.toml:2:4: this is not TOML: expected the name of a section after the bracket");
}

TEST_CASE("unknown keys and sections are refused, with a hint only when one is truly near") {
  CHECK(only("[probe]\n\n  rtt_intervall = \"5s\"\n") ==
        "p.toml:3:3: unknown key \"probe.rtt_intervall\" (hint: did you mean \"probe.rtt_interval\"?)");
  CHECK(only("[probe]\nbudget = \"2000/s\"\n") == "p.toml:2:1: unknown key \"probe.budget\"");
  CHECK(only("[http]\nmax_series = 1\n") ==
        "p.toml:2:1: unknown key \"http.max_series\" (hint: did you mean \"telemetry.max_series\"?)");
  CHECK(only("[htpp]\nlisten = []\n") == "p.toml:1:2: unknown section \"htpp\" (hint: did you mean \"http\"?)");
  CHECK(only("[export]\ninterval = \"30s\"\n") == "p.toml:1:2: unknown section \"export\"");
  CHECK(only("rtt_interval = \"5s\"\n") ==
        "p.toml:1:1: unknown key \"rtt_interval\" (hint: did you mean \"probe.rtt_interval\"?)");
  CHECK(only("[[peer]]\nid = \"" + peer_id_text(1) + "\"\nadresses = []\n") ==
        "p.toml:3:1: unknown key \"peer.adresses\" (hint: did you mean \"peer.addresses\"?)");
  CHECK(only("http.listenn = []\n") ==
        "p.toml:1:6: unknown key \"http.listenn\" (hint: did you mean \"http.listen\"?)");
}

TEST_CASE("a key that does not work yet is unknown, also where one that works is near") {
  CHECK(only("[discovery]\nmdns = true\n") ==
        "p.toml:2:1: unknown key \"discovery.mdns\" (hint: did you mean \"discovery.dns\"?)");
}

TEST_CASE("keys that other parts of the interface will bring are unknown until they work") {
  const auto key = GENERATE("[limits]\nmemory = \"1GiB\"",
                            "[recovery]\nmax_concurrent = 10", "[log]\naudit_file = \"\"",
                            "[telemetry]\nsampling_rate = 0.01", "[privacy]\naddresses = \"masked\"",
                            "[export]\ninterval = \"30s\"");
  const std::string problem = only(key);
  CHECK(problem.find("unknown ") != std::string::npos);
  CHECK(problem.find("did you mean") == std::string::npos);
}

TEST_CASE("a value of the wrong type says what was expected, with an example") {
  CHECK(only("[probe]\nrtt_interval = 5\n") ==
        "p.toml:2:16: probe.rtt_interval: expected a duration in quotation marks like \"5s\", found the integer 5");
  CHECK(only("[mesh]\nmax_sessions = \"5\"\n") ==
        "p.toml:2:16: mesh.max_sessions: expected an integer like 10000, found \"5\"");
  CHECK(only("[http]\nallow_unauthenticated = 1\n") ==
        "p.toml:2:25: http.allow_unauthenticated: expected true or false, found the integer 1");
  CHECK(only("[http]\nlisten = \"127.0.0.1:1\"\n") ==
        "p.toml:2:10: http.listen: expected a list like [\"…\", \"…\"], found \"127.0.0.1:1\"");
  CHECK(only("[network]\nadvertise = [\"a:1\",\n  1.5]\n") ==
        "p.toml:3:3: network.advertise: expected a host:port in quotation marks like \"node-b.example:9470\", found a "
        "floating-point number");
  CHECK(only("[log]\nformat = 1979-05-27\n") ==
        "p.toml:2:10: log.format: expected one of auto, logfmt, json, journal, found a date or time");
  CHECK(only("http = 3\n") == "p.toml:1:1: http: expected a section, written [http], found the integer 3");
  CHECK(only("[peer]\nid = \"\"\n") == "p.toml:1:2: peer: expected blocks, each written [[peer]], found a table");
  CHECK(only("peer = [1]\n") == "p.toml:1:9: peer: expected a block, written [[peer]], found the integer 1");
}

TEST_CASE("quantities are read strictly") {
  CHECK(
      only("[probe]\nrtt_interval = \"5 s\"\n") ==
      "p.toml:2:16: probe.rtt_interval: expected a duration like \"5s\", \"250ms\" or \"1m30s\" (units: ns us ms s m h "
      "d, the larger first), found \"5 s\"");
  CHECK(only("[probe]\nbandwidth_max_bytes_per_day = \"1 GiB\"\n") ==
        "p.toml:2:31: probe.bandwidth_max_bytes_per_day: expected a size like \"64KiB\", \"10MB\" or \"1048576\" "
        "(units: B "
        "kB MB GB TB KiB MiB GiB TiB), found \"1 GiB\"");
  CHECK(only("[http]\nrate_limit = \"50\"\n") ==
        "p.toml:2:14: http.rate_limit: expected a rate like \"50/s\", \"0.5/s\" or \"30/m\" (per s, m or h), found "
        "\"50\"");
}

TEST_CASE("ranges hold at both ends") {
  struct Range {
    const char* section;
    const char* key;
    const char* least;
    const char* most;
    const char* below;
    const char* above;
  };
  const auto r = GENERATE(Range{"probe", "rtt_interval", "\"100ms\"", "\"1h\"", "\"99999us\"", "\"1h1ns\""},
                          Range{"probe", "datagram_interval", "\"100ms\"", "\"1m\"", "\"0s\"", "\"61s\""},
                          Range{"mesh", "max_sessions", "1", "10000", "0", "10001"},
                          Range{"telemetry", "max_labelled_peers", "0", "10000", "-1", "10001"},
                          Range{"telemetry", "max_series", "1000", "10000000", "999", "9223372036854775807"},
                          Range{"telemetry", "retention_gone_peer", "\"10s\"", "\"7d\"", "\"9s\"", "\"8d\""},
                          Range{"recovery", "retry_max", "\"1s\"", "\"1d\"", "\"999ms\"", "\"25h\""},
                          Range{"recovery", "breaker_failures", "1", "1000", "0", "1001"},
                          Range{"recovery", "breaker_timeout", "\"1s\"", "\"10m\"", "\"999ms\"", "\"601s\""},
                          Range{"http", "rate_limit", "\"0.1/s\"", "\"100000/s\"", "\"0.05/s\"", "\"100001/s\""},
                          Range{"probe", "bandwidth_max_bytes_per_day", "\"0\"", "\"1TiB\"", nullptr, "\"2TiB\""});
  const auto with = [&](const char* value) {
    return problems_of(std::string{"["} + r.section + "]\n" + r.key + " = " + value + "\n");
  };
  INFO(r.key);
  CHECK(with(r.least).empty());
  CHECK(with(r.most).empty());
  for (const char* outside : {r.below, r.above}) {
    if (outside == nullptr) continue;
    const Lines all = with(outside);
    REQUIRE(all.size() == 1);
    CHECK(all[0].find(": must be from ") != std::string::npos);
    CHECK(all[0].starts_with("p.toml:2:" + std::to_string(std::string{r.key}.size() + 4) + ": "));
  }
}

TEST_CASE("names, paths, words, levels, ids and addresses are checked") {
  CHECK(only("[node]\nname = \"a b\"\n").starts_with("p.toml:2:8: node.name: a name has 1 to 63 letters"));
  CHECK(only("[mesh]\nname = \"\"\n").starts_with("p.toml:2:8: mesh.name: a name has 1 to 63 letters"));
  CHECK(problems_of("[node]\nname = \"\"\n").empty());
  CHECK(only("[node]\nname = \"" + std::string(64, 'a') + "\"\n").starts_with("p.toml:2:8: "));
  CHECK(problems_of("[node]\nname = \"" + std::string(63, 'a') + "\"\n").empty());
  CHECK(only("[node]\nstate_dir = \"\"\n") == "p.toml:2:13: node.state_dir: expected a path, found an empty string");
  CHECK(only("[node]\nstate_dir = \"/a\\u0000b\"\n").starts_with("p.toml:2:13: node.state_dir: a path must be UTF-8"));
  CHECK(only("[http]\ncontrol_socket = \"/" + std::string(107, 's') + "\"\n") ==
        "p.toml:2:18: http.control_socket: this path has 108 bytes, at most 107 are allowed");
  CHECK(only("[mesh]\nadmission = \"secrets\"\n") ==
        "p.toml:2:13: mesh.admission: expected one of allowlist, secret, found \"secrets\" (hint: did you mean "
        "\"secret\"?)");
  CHECK(only("[log]\nlevel = \"info,cellar=debug\"\n") ==
        "p.toml:2:9: log.level: there is no room \"cellar\" (app, config, http, io, mesh, peer, probe, quic)");
  CHECK(only("[mesh]\ndeny = [\n  \"" + peer_id_text(1) + "\",\n  \"abc\",\n]\n") ==
        "p.toml:4:3: mesh.deny: a peer id has 52 characters, this has 3");
  CHECK(only("[network]\nlisten = [\"0.0.0.0\"]\n") ==
        "p.toml:2:11: network.listen: \"0.0.0.0\": the port is missing (write host:port)");
  CHECK(only("[network]\nlisten = [\"224.0.0.1:9470\"]\n") ==
        "p.toml:2:11: network.listen: \"224.0.0.1:9470\" is a multicast or broadcast address");
  CHECK(only("[[peer]]\nid = \"\"\n") ==
        "p.toml:2:6: peer.id: is empty: paste what \"peerwatchd --identity\" prints on that node");
  CHECK(only("\n[[peer]]\nname = \"a\"\n") ==
        "p.toml:2:1: a [[peer]] needs an id (hint: paste what \"peerwatchd --identity\" prints on that node)");
}

TEST_CASE("log levels are exactly those that the log knows") {
  const auto accepted = [](std::string_view level) {
    return problems_of("[log]\nlevel = \"" + std::string{level} + "\"\n").empty();
  };
  for (const std::string_view level : names(observe::Level{})) CHECK(accepted(level));
  for (const std::string_view room : names(observe::Room{})) CHECK(accepted("info," + std::string{room} + "=debug"));
  CHECK(accepted("quic=debug, warn"));
  for (const auto* bad : {"", "trace", "info,", "info,quic", "INFO", "info,quic=", "wire=debug"})
    CHECK_FALSE(accepted(bad));
}

TEST_CASE("columns count characters, not bytes") {
  CHECK(only("[node]\n\"näme\" = 1\nx = 2 # ü\n" + std::string{"\"ü\".x = 1, y = 2"}).starts_with("p.toml:4:10: "));
}

TEST_CASE("several errors come at once, in the order of the file") {
  const Lines all = problems_of(
      "[http]\nrate_limit = \"fast\"\n[nonsense]\n[log]\nlevel = \"loud\"\nformat = \"xml\"\n[mesh]\ndeny = [\"a\", "
      "\"b\"]\n");
  REQUIRE(all.size() == 6);
  const Lines places{"p.toml:2:14: ", "p.toml:3:2: ", "p.toml:5:9: ", "p.toml:6:10: ", "p.toml:8:9: ", "p.toml:8:14: "};
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i].starts_with(places[i]));
}

TEST_CASE("a hostile file can't flood the log nor send escape sequences") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "k" + std::to_string(i) + " = 1\n";
  const Lines all = problems_of(text);
  REQUIRE(all.size() == Problems::kMost + 1);
  CHECK(all.back() == "and 4900 more problems");
  CHECK(only("\"\\u001b[2J\\u009b\" = 1\n") == "p.toml:1:1: unknown key \"\\x1b[2J\\xc2\\x9b\"");
  CHECK(only("\"" + std::string(100000, 'a') + "\" = 1\n").size() < 200);
}

TEST_CASE("size and nesting are limited before they cost memory or stack") {
  CHECK(only(std::string(kLargestFile + 1, '#')) == "p.toml: is larger than the limit");
  CHECK(problems_of(std::string(kLargestFile, '#')).empty());
  std::string dotted = "a";
  for (int i = 0; i < 400'000; ++i) dotted += ".a";
  CHECK(only("\n" + dotted + " = 1\n") == "p.toml:2:130: this is not TOML: more than 64 dots in one line");
  CHECK(problems_of("# " + std::string(1000, '.') + "\n[node]\nstate_dir = \"" + std::string(1000, '.') + "\"\n")
            .empty());
  CHECK(only("a = " + std::string(100'000, '[') + "\n").starts_with("p.toml:1:"));
  std::string tables = "a = ";
  for (int i = 0; i < 100'000; ++i) tables += "{a=";
  CHECK(only(tables).starts_with("p.toml:1:"));
}

TEST_CASE("there is a limit of peers") {
  const auto many = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      std::array<std::uint8_t, PeerId::kSize> key{};
      key[0] = static_cast<std::uint8_t>(i >> 8);
      key[1] = static_cast<std::uint8_t>(i);
      text += "[[peer]]\nid=\"" + PeerId{key}.to_string() + "\"\n";
    }
    return text;
  };
  const Loaded full = load_text(many(kMostPeers));
  CHECK(problems_of(full).empty());
  CHECK(full.config.peers.size() == kMostPeers);
  CHECK(only(many(kMostPeers + 2)) == "p.toml:20001:1: more than 10000 peers");
}

}  // namespace
}  // namespace pw::config
