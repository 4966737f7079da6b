#include "app/options.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace pw::app {
namespace {

using Catch::Matchers::ContainsSubstring;

Result<Invocation> parse(std::vector<std::string_view> arguments) { return parse_options(arguments); }

std::string error_of(std::vector<std::string_view> arguments) {
  const auto parsed = parse(std::move(arguments));
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().detail.find('\n') == std::string::npos);
  return parsed.error().detail;
}

TEST_CASE("without options the daemon runs on the standard files") {
  const auto parsed = parse({});
  REQUIRE(parsed);
  CHECK(parsed->action == Action::run);
  CHECK_FALSE(parsed->config_file);
  CHECK(parsed->overrides.empty());
}

TEST_CASE("keys are options, in both spellings and in order") {
  const auto parsed =
      parse({"--config", "a.toml", "--http.listen", "127.0.0.1:1", "--http.listen=127.0.0.1:2", "--node.name="});
  REQUIRE(parsed);
  CHECK(parsed->config_file == "a.toml");
  CHECK(parsed->overrides == std::vector<std::pair<std::string, std::string>>{
                                 {"http.listen", "127.0.0.1:1"}, {"http.listen", "127.0.0.1:2"}, {"node.name", ""}});
}

TEST_CASE("a key's value may look like an option") {
  const auto parsed = parse({"--node.name", "--odd"});
  REQUIRE(parsed);
  CHECK(parsed->overrides.front().second == "--odd");
}

TEST_CASE("actions") {
  CHECK(parse({"--print-config"})->action == Action::print_config);
  CHECK(parse({"--version"})->action == Action::version);
  CHECK(parse({"--help"})->action == Action::help);
  CHECK(parse({"-h"})->action == Action::help);
  const auto identity = parse({"--identity", "--state-dir", "/tmp/x"});
  REQUIRE(identity);
  CHECK(identity->action == Action::identity);
  CHECK(identity->overrides.front() == std::pair<std::string, std::string>{"node.state_dir", "/tmp/x"});
}

TEST_CASE("the file to check is given to --check-config, to --config, or nowhere") {
  CHECK(parse({"--check-config", "a.toml"})->config_file == "a.toml");
  CHECK(parse({"--check-config=a.toml"})->config_file == "a.toml");
  CHECK(parse({"--config", "a.toml", "--check-config"})->config_file == "a.toml");
  const auto bare = parse({"--check-config", "--node.name", "a"});
  REQUIRE(bare);
  CHECK(bare->action == Action::check_config);
  CHECK_FALSE(bare->config_file);
}

TEST_CASE("a misspelt option is answered with the one that was meant") {
  CHECK_THAT(error_of({"--confg", "a.toml"}), ContainsSubstring("did you mean --config?"));
  CHECK_THAT(error_of({"--print-confg"}), ContainsSubstring("did you mean --print-config?"));
  CHECK_THAT(error_of({"--http-listen", "x"}), ContainsSubstring("did you mean --http.listen?"));
  CHECK_THAT(error_of({"--frobnicate"}), ContainsSubstring("--help"));
}

TEST_CASE("what can't be understood is an error") {
  CHECK_THAT(error_of({"start"}), ContainsSubstring("unexpected argument"));
  CHECK_THAT(error_of({"-c", "x"}), ContainsSubstring("unexpected argument"));
  CHECK_THAT(error_of({"--config"}), ContainsSubstring("needs a value"));
  CHECK_THAT(error_of({"--config="}), ContainsSubstring("needs a value"));
  CHECK_THAT(error_of({"--http.listen"}), ContainsSubstring("needs a value"));
  CHECK_THAT(error_of({"--version=3"}), ContainsSubstring("takes no value"));
  CHECK_THAT(error_of({"--\x1b[31m"}), !ContainsSubstring("\x1b"));
}

TEST_CASE("help names every option and every key") {
  const std::string help = help_text();
  for (const char* word : {"--config", "--check-config", "--print-config", "--identity", "--state-dir", "--version",
                           "http.control_socket", "mesh.admission", "SIGHUP"})
    CHECK_THAT(help, ContainsSubstring(word));
}

}  // namespace
}  // namespace pw::app
