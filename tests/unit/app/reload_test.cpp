#include "app/reload.hpp"

#include <poll.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>

#include "config/keys.hpp"

namespace pw::app {
namespace {

using Catch::Matchers::ContainsSubstring;

config::Loaded good(config::Config config) { return {std::move(config), {}}; }

/// A Config that differs from the default in every key.
config::Config all_changed() {
  config::Config c;
  c.node = {"other", "/tmp/elsewhere", {config::Role::relay}};
  c.network.listen = {{IpAddress::v4({127, 0, 0, 1}), 1}};
  c.network.advertise = {{"a.example", 1}};
  c.network.exclude_interfaces = {"tun*"};
  c.mesh.name = "other";
  c.mesh.admission = config::Admission::secret;
  c.mesh.secret_files = {"/tmp/secret"};
  c.mesh.deny = {PeerId{}};
  c.mesh.max_sessions = 3;
  c.bootstrap_server.admission = config::ServiceAdmission::open;
  c.bootstrap_server.stun_alternate = {{IpAddress::v4({192, 0, 2, 8}), 2}};
  c.discovery = {"/tmp/peers.toml", "peers.example"};
  c.relay_server = {64'000, SocketAddress{IpAddress::v4({127, 0, 0, 1}), 443}, "/tmp/c.pem", "/tmp/c.key"};
  c.bootstraps = {{PeerId{}, "s", {{"s.example", 1}}}};
  c.relays = {{PeerId{}, "s", {{"s.example", 2}}}};
  c.probe = {1s, 300ms, 5};
  c.recovery = {1s, 2s, 3, 4s};
  c.telemetry = {1, 2000, 1min};
  c.privacy.peer_id = config::PeerIdPrivacy::full;
  c.log = {"debug", config::LogFormat::json};
  c.http.listen = {};
  c.http.control_socket = "/tmp/other.sock";
  c.http.metrics_token_file = "/tmp/m";
  c.http.admin_token_file = "/tmp/a";
  c.http.rate_limit = 1;
  c.http.allow_unauthenticated = true;
  c.secrets = {std::string(32, 's')};
  c.metrics_token = "m";
  c.admin_token = "a";
  c.tls_certificate = "c";
  c.tls_key = "k";
  c.peers = {{PeerId{}, "b", false, {}}};
  return c;
}

TEST_CASE("a reload takes what it may, keeps what needs a restart, and names it") {
  const config::Config before;
  const config::Config after = all_changed();
  const ReloadPlan plan = plan_reload(before, good(after));
  REQUIRE(plan.outcome.success);
  for (const auto& key : config::config_keys()) {
    INFO(key.name);
    const auto& expected = key.effect == config::Effect::restart ? before : after;
    CHECK(key.get(plan.config) == key.get(expected));
    const auto& named = plan.outcome.needs_restart;
    CHECK((std::ranges::find(named, key.name) != named.end()) == (key.effect == config::Effect::restart));
  }
  CHECK(plan.config.peers == after.peers);
  CHECK(plan.config.bootstraps == after.bootstraps);
  CHECK(plan.config.relays == after.relays);
  CHECK(plan.config.secrets == after.secrets);
  CHECK(plan.config.admin_token == "a");
  CHECK(plan.event.success);
  CHECK_THAT(plan.event.detail, ContainsSubstring("network.listen"));
}

TEST_CASE("the next reload names the keys again, until there is a restart") {
  const auto first = plan_reload({}, good(all_changed()));
  const auto second = plan_reload(first.config, good(all_changed()));
  CHECK(second.outcome.needs_restart == first.outcome.needs_restart);
}

TEST_CASE("a listener that stays until a restart keeps the token that closes it") {
  config::Config before;
  before.http.listen = {{IpAddress::any(Family::v4), 9470}};
  before.http.metrics_token_file = "/etc/token";
  before.metrics_token = "secret";
  const auto plan = plan_reload(before, good({}));  // back to loopback, which needs no token
  CHECK(plan.config.metrics_token == "secret");
  CHECK(plan.config.http.metrics_token_file == "/etc/token");
  CHECK(plan.outcome.needs_restart == std::vector<std::string>{"http.listen", "http.metrics_token_file"});

  config::Config rotated = before;
  rotated.http.metrics_token_file = "/etc/other";
  rotated.metrics_token = "fresh";
  CHECK(plan_reload(before, good(rotated)).config.metrics_token == "fresh");
  before.http.listen = {{IpAddress::v4({127, 0, 0, 1}), 9470}};
  CHECK(plan_reload(before, good({})).config.metrics_token.empty());
}

TEST_CASE("a reload that changes nothing has nothing to say") {
  const auto plan = plan_reload({}, good({}));
  CHECK(plan.outcome.success);
  CHECK(plan.outcome.needs_restart.empty());
  CHECK(plan.event.detail.empty());
  CHECK(plan.config == config::Config{});
}

TEST_CASE("a bad file leaves everything as it is, and every mistake is told") {
  config::Config before;
  before.mesh.name = "in force";
  config::Loaded bad = good(all_changed());
  for (unsigned line = 1; line <= 5; ++line) bad.problems.push_back({"f.toml", line, 2, "wrong", ""});
  const auto plan = plan_reload(before, bad);
  CHECK_FALSE(plan.outcome.success);
  CHECK(plan.config == before);
  REQUIRE(plan.outcome.errors.size() == 5);
  CHECK(plan.outcome.errors[4] == "f.toml:5:2: wrong");
  CHECK_FALSE(plan.event.success);
  CHECK(plan.event.detail == "f.toml:1:2: wrong; f.toml:2:2: wrong; f.toml:3:2: wrong; and 2 more");
}

TEST_CASE("environment and command line hold on reload too") {
  const char* environment[] = {"PEERWATCH_NODE_NAME=from-environment", "EMPTY=", "NOT_AN_ASSIGNMENT", nullptr};
  const auto map = environment_of(environment);
  CHECK(map.size() == 2);
  const std::string file = "/tmp/pw-reload-test.toml";
  std::ofstream{file} << "[mesh]\nname = \"file\"\nmax_sessions = 5\n";
  Invocation invocation;
  invocation.config_file = file;
  invocation.overrides = {{"mesh.name", "option"}};
  const auto read = read_config(invocation, map);
  std::remove(file.c_str());
  REQUIRE(read.ok());
  CHECK(read.config.node.name == "from-environment");
  CHECK(read.config.mesh.name == "option");
  CHECK(read.config.mesh.max_sessions == 5);
  CHECK_FALSE(read_config(invocation, map).ok());  // the file is gone by now
}

TEST_CASE("requests to reload ring, wait together, and are bounded") {
  Doorbell bell;
  ReloadRequests requests{bell};
  int answered = 0;
  for (std::size_t i = 0; i < ReloadRequests::kMost; ++i)
    REQUIRE(requests.add([&](const http::ReloadOutcome&) { ++answered; }));
  CHECK_FALSE(requests.add([&](const http::ReloadOutcome&) { ++answered; }));
  pollfd p{bell.fd(), POLLIN, 0};
  CHECK(poll(&p, 1, 0) == 1);
  bell.quiet();
  CHECK(poll(&p, 1, 0) == 0);
  for (const auto& done : requests.take()) done({});
  CHECK(answered == static_cast<int>(ReloadRequests::kMost));
  CHECK(requests.take().empty());
}

}  // namespace
}  // namespace pw::app
