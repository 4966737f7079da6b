#include "config/print.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "config/keys.hpp"
#include "unit/config/fake_files.hpp"

namespace pw::config {
namespace {

/// Every key of every section, with a value other than the default.
constexpr const char* kEverything = R"(
[node]
name = "n"
state_dir = "/a \"quoted\" \\ path/ü"
roles = ["relay", "bootstrap"]
[network]
listen = ["192.0.2.1:1"]
advertise = ["a.example:1", "[2001:db8::1]:2"]
exclude_interfaces = ["docker*", "tun?"]
[nat]
enabled = false
stun_servers = ["stun.example:3478"]
port_mapping = true
prediction = false
packet_budget = "600/s"
[discovery]
file = "/peers.toml"
dns = "_peerwatch._udp.example"
[mesh]
name = "m"
admission = "secret"
secret_files = ["/s"]
deny = ["SEVEN"]
max_sessions = 7
[bootstrap_server]
admission = "open"
stun_alternate = ["192.0.2.2:2"]
[relay_server]
rate_per_client = "1500kbit/s"
websocket_listen = "192.0.2.3:443"
tls_certificate = "/c"
tls_key = "/k"
[probe]
rtt_interval = "1m1ms"
datagram_interval = "1500ms"
bandwidth_max_bytes_per_day = "123456789"
[recovery]
retry_initial = "1s"
retry_max = "1h1s"
breaker_failures = 7
breaker_timeout = "90s"
[telemetry]
max_labelled_peers = 0
max_series = 1001
retention_gone_peer = "1d"
[privacy]
peer_id = "none"
[log]
level = "error,mesh=debug"
format = "journal"
[http]
listen = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", "[::1]:5"]
control_socket = ""
metrics_token_file = "/t"
admin_token_file = "/t"
rate_limit = "7/m"
allow_unauthenticated = true
[[peer]]
id = "EIGHT"
name = "p"
always_label = true
addresses = ["192.0.2.7:9470"]
[[peer]]
id = "NINE"
[[bootstrap]]
id = "TEN"
name = "s"
addresses = ["b.example:1"]
websocket = "wss://b.example/relay"
[[relay]]
id = "ELEVEN"
addresses = ["192.0.2.8:9470"]
websocket = "wss://[2001:db8::8]:8443/relay?a=b"
)";

FakeFiles files() { return FakeFiles{}.with("/s", std::string(32, 's')).with("/t", std::string(32, 't')).with("/c", "c", 0644).with("/k", "k"); }

Config everything() {
  std::string text = kEverything;
  for (const auto& [word, number] : {std::pair{"SEVEN", 7}, std::pair{"EIGHT", 8}, std::pair{"NINE", 9},
                                     std::pair{"TEN", 10}, std::pair{"ELEVEN", 11}})
    text.replace(text.find(word), std::string_view{word}.size(), peer_id_text(static_cast<std::uint8_t>(number)));
  const Loaded loaded = load_text(text, files());
  REQUIRE(problems_of(loaded) == std::vector<std::string>{});
  return loaded.config;
}

TEST_CASE("the sample differs from the defaults in every key") {
  const Config config = everything();
  for (const auto& key : config_keys()) {
    INFO(key.name);
    CHECK(key.get(config) != key.get(Config{}));
  }
  for (const auto& key : peer_keys()) CHECK(key.get(config.peers[0]) != key.get(Peer{}));
}

TEST_CASE("what is printed is read back the same") {
  for (const Config& config : {everything(), Config{}}) {
    const Loaded again = load_text(to_toml(config), files());
    CHECK(problems_of(again).empty());
    CHECK(again.config == config);
    CHECK(to_toml(again.config) == to_toml(config));
  }
}

TEST_CASE("JSON has a section an object, typed values, and the peers") {
  const std::string json = to_json(everything());
  CHECK(json.starts_with(
      "{\n  \"node\": {\n    \"name\": \"n\",\n    \"state_dir\": \"/a \\\"quoted\\\" \\\\ path/ü\",\n    \"roles\": ["));
  CHECK(json.find("\"max_sessions\": 7\n") != std::string::npos);
  CHECK(json.find("\"allow_unauthenticated\": true\n") != std::string::npos);
  CHECK(json.find("\"rtt_interval\": \"1m1ms\",") != std::string::npos);
  CHECK(json.find("\"always_label\": true,") != std::string::npos);
  CHECK(to_json(Config{}).ends_with("\"peer\": []\n}"));
}

TEST_CASE("JSON is printed whatever a hand-made Config holds") {
  Config config;
  config.node.name = "\xff";
  CHECK(to_json(config).find("\xef\xbf\xbd") != std::string::npos);
}

TEST_CASE("the help names every key, its variable, default, range and effect") {
  const std::string help = key_help();
  for (const auto& key : config_keys()) {
    CHECK(help.find("  --" + key.name + " " + key.type + "  [" + environment_name(key.name) + "]\n") !=
          std::string::npos);
    CHECK(help.find(key.about) != std::string::npos);
  }
  CHECK(help.find("default \"5s\"; 100ms … 1h; reload\n") != std::string::npos);
  CHECK(environment_name("probe.bandwidth_max_bytes_per_day") == "PEERWATCH_PROBE_BANDWIDTH_MAX_BYTES_PER_DAY");
}

}  // namespace
}  // namespace pw::config
