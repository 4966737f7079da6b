#include "cli/arguments.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sstream>

using namespace pw;
using namespace pw::cli;

namespace {
std::variant<Arguments, Say> parse(const std::string& line, const Environment& environment = {}) {
  std::istringstream stream{line};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return parse_arguments(words, environment, "1.2.3");
}
Arguments good(const std::string& line, const Environment& environment = {}) {
  const auto parsed = parse(line, environment);
  if (const auto* say = std::get_if<Say>(&parsed)) FAIL(line << ": " << say->text);
  return std::get<Arguments>(parsed);
}
std::string wrong(const std::string& line) {
  const auto parsed = parse(line);
  INFO(line);
  REQUIRE(std::holds_alternative<Say>(parsed));
  CHECK(std::get<Say>(parsed).code == kWrongUse);
  CHECK(std::get<Say>(parsed).text.starts_with("peerwatch: "));
  return std::get<Say>(parsed).text;
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("commands and their options are read, global options in any place") {
  CHECK(good("status").action == Action::status);
  CHECK(good("status --json --watch").watch);
  CHECK(good("--json status").json);
  CHECK(good("peers").peer.empty());
  CHECK(good("peers node-b").peer == "node-b");
  const auto ping = good("ping node-b -c 3 -i 0.2 --size 1KiB");
  CHECK((ping.count == 3 && ping.pause == 200ms && ping.size == 1024));
  const auto direct = good("ping node-b --until-direct -t 5s");
  CHECK((direct.until_direct && direct.patience == 5s));
  CHECK(good("ping node-b --until-direct").patience == 30s);
  const auto bandwidth = good("bandwidth node-b -t 2s --bytes 10MiB");
  CHECK((bandwidth.duration == Duration{2s} && bandwidth.bytes == 10U << 20));
  CHECK_FALSE(good("bandwidth node-b").bytes);
  const auto events = good("events --follow --peer node-b --since 10m");
  CHECK((events.follow && events.peer == "node-b" && events.since == Duration{10min}));
  CHECK(good("connect x --address h:1 -a [::1]:2").addresses == std::vector<std::string>{"h:1", "[::1]:2"});
  CHECK(good("disconnect x").action == Action::disconnect);
  CHECK(good("reload").action == Action::reload);
  CHECK(good("export-peer").action == Action::export_peer);
}

TEST_CASE("the daemon is found by option, then environment, then the usual place") {
  CHECK(good("status").socket == kDefaultSocket);
  CHECK(good("status", {"http://h:1", ""}).url == "http://h:1");
  CHECK(good("status", {"http://h:1", "/s"}).url.empty());
  CHECK(good("status", {"", "/s"}).socket == "/s");
  CHECK(good("status --socket /t", {"http://h:1", "/s"}).socket == "/t");
  CHECK(good("status --socket /t", {"http://h:1", "/s"}).url.empty());
  CHECK(good("--url http://u status", {"", "/s"}).url == "http://u");
}

TEST_CASE("wrong use is told in one line, with what was probably meant") {
  CHECK(has(wrong("statsu"), "did you mean \"status\"?"));
  CHECK(has(wrong("export"), "did you mean \"export-peer\"?"));
  CHECK(has(wrong("status --jsn"), "did you mean \"--json\"?"));
  CHECK(has(wrong("ping x --sise=5"), "did you mean \"--size\"?"));
  CHECK(has(wrong(""), "say what to do"));
  CHECK(has(wrong("ping"), "peer is required"));
  CHECK(has(wrong("status extra"), "\"extra\""));
  CHECK(has(wrong("why node-b"), "unknown command"));
  CHECK(has(wrong("ping x -c -1"), "count"));
  CHECK(has(wrong("ping x -c 1.5"), "count"));
  CHECK(has(wrong("ping x -i 1ms"), "10ms"));
  CHECK(has(wrong("ping x --size 1MiB"), "64KiB"));
  CHECK(has(wrong("ping x --until-direct -t 1ms"), "1s to 24h"));
  wrong("ping x --until-direct -c 3");
  wrong("ping x -t 3s");
  CHECK(has(wrong("bandwidth x -t 1h"), "30s"));
  CHECK(has(wrong("bandwidth x --bytes 0"), "1 byte"));
  CHECK(has(wrong("connect x --address nohost"), "port"));
  CHECK(has(wrong("events --since yesterday"), "no duration"));
  wrong("status reload");
  wrong("--url http://a --socket b status");
}

TEST_CASE("help and version are good news") {
  for (const auto* line : {"--help", "-h", "--version", "ping --help"}) CHECK(std::get<Say>(parse(line)).code == kGood);
  CHECK(std::get<Say>(parse("--version")).text == "peerwatch 1.2.3\n");
  CHECK(has(std::get<Say>(parse("ping --help")).text, "peerwatch ping"));
  const std::string help = std::get<Say>(parse("--help")).text;
  for (const auto* absent : {"doctor", "history", "record", "why"}) CHECK_FALSE(has(help, absent));
}
