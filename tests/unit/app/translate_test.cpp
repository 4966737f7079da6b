#include "app/translate.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace pw::app {
namespace {

PeerId some_peer(std::uint8_t n) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  key.fill(n);
  return PeerId{key};
}

TEST_CASE("peers, admission and intervals become the membership") {
  config::Config config;
  config.mesh.name = "north";
  config.mesh.admission = config::Admission::secret;
  config.mesh.deny = {some_peer(9)};
  config.mesh.max_sessions = 7;
  config.secrets = {std::string(32, 'a'), std::string(40, '\0')};
  config.peers = {{some_peer(1), "b", true, {{"b.example", 9470}}}};
  config.probe = {1s, 200ms, 12345};
  const peer::Membership m = membership(config);
  CHECK(m.mesh == "north");
  CHECK(m.admission == peer::AdmissionMode::secret);
  CHECK(m.deny == std::vector{some_peer(9)});
  CHECK(m.max_sessions == 7);
  REQUIRE(m.secrets.size() == 2);
  CHECK(m.secrets[0] == Buffer(32, 'a'));
  CHECK(m.secrets[1] == Buffer(40, 0));  // a secret is bytes, zeros included
  REQUIRE(m.peers.size() == 1);
  CHECK(m.peers[0] == event::PeerSpec{some_peer(1), "b", true, {{"b.example", 9470}}});
  CHECK(m.probe.rtt_interval == 1s);
  CHECK(m.probe.datagram_interval == 200ms);
  CHECK(m.probe.bandwidth_max_bytes_per_day == 12345);
}

TEST_CASE("servers and roles become what the core is told; a bootstrap that is a relay too is one server") {
  config::Config config;
  config.bootstraps = {{some_peer(1), "s", {{"a.example", 1}}}};
  config.relays = {{some_peer(1), "s", {{"a.example", 1}, {"b.example", 2}}}, {some_peer(2), "r", {{"r.example", 3}}}};
  const peer::Membership m = membership(config);
  CHECK(m.servers == std::vector<event::ServerSpec>{
                         {some_peer(1), "s", true, true, {{"a.example", 1}, {"b.example", 2}}},
                         {some_peer(2), "r", false, true, {{"r.example", 3}}}});
  CHECK_FALSE(m.serve_anybody);
  config.bootstrap_server.admission = config::ServiceAdmission::open;
  CHECK(membership(config).serve_anybody);

  CHECK(mesh_options(config, {}).services.peer);
  CHECK_FALSE(mesh_options(config, {}).services.server.relay);
  config.node.roles = {config::Role::bootstrap, config::Role::relay};
  config.relay_server.rate_per_client = 800'000;
  const auto services = mesh_options(config, {}, WallTime{1'700'000'000s}).services;
  CHECK_FALSE(services.peer);
  CHECK(services.server.bootstrap);
  CHECK(services.server.relay);
  CHECK(services.server.bytes_per_second == 100'000);
  CHECK(services.first_sequence == 1'700'000'000);
}

TEST_CASE("the core has room for as many connections as sessions may ask for") {
  config::Config config;
  config.mesh.max_sessions = 10000;
  const auto options = mesh_options(config, {});
  CHECK(options.quic.max_connections >= 20000 + options.quic.max_half_open);
  config.mesh.max_sessions = 1;
  CHECK(mesh_options(config, {}).quic.max_connections >= 2048);
  config.peers.resize(5000);
  CHECK(mesh_options(config, {}).quic.max_connections >= 10000);
}

TEST_CASE("stateless resets are keyed from the identity: equal over restarts, unlike for another node") {
  io::IdentitySeed one{};
  io::IdentitySeed other{};
  other[0] = 1;
  CHECK(mesh_options({}, one).quic.static_secret == mesh_options({}, one).quic.static_secret);
  CHECK(mesh_options({}, one).quic.static_secret != mesh_options({}, other).quic.static_secret);
  CHECK(mesh_options({}, one).quic.static_secret != one);
}

TEST_CASE("the core is told what the configuration says about dialling and remembering") {
  config::Config config;
  config.recovery = {123ms, 45s, 7, 89s};
  config.telemetry.retention_gone_peer = 77s;
  const auto options = mesh_options(config, {});
  CHECK(options.peer.retry_initial == 123ms);
  CHECK(options.peer.retry_max == 45s);
  CHECK(options.peer.breaker_failures == 7);
  CHECK(options.peer.breaker_timeout == 89s);
  CHECK(options.peer.retention == 77s);
  CHECK(options.peer.software == version());
}

TEST_CASE("hashed labels agree on all nodes of a mesh, and on no others") {
  config::Config config;
  config.privacy.peer_id = config::PeerIdPrivacy::hashed;
  const auto key = metrics_options(config, some_peer(1)).label_key;
  CHECK(metrics_options(config, some_peer(2)).label_key == key);
  CHECK(key.size() >= 16);
  config.mesh.name = "other";
  CHECK(metrics_options(config, some_peer(1)).label_key != key);
  config.mesh.name = "default";
  config.secrets = {std::string(32, 's')};
  CHECK(metrics_options(config, some_peer(1)).label_key != key);
}

TEST_CASE("metrics are told who this node is and what to keep private") {
  config::Config config;
  config.node.name = "a";
  config.privacy.peer_id = config::PeerIdPrivacy::none;
  config.telemetry.max_labelled_peers = 3;
  config.telemetry.max_series = 1234;
  const auto options = metrics_options(config, some_peer(1));
  CHECK(options.node_name == "a");
  CHECK(options.self == some_peer(1));
  CHECK(options.mesh == "default");
  CHECK(options.peer_label == observe::PeerLabel::none);
  CHECK(options.max_labelled_peers == 3);
  CHECK(options.max_series == 1234);
  CHECK(options.version == version());
}

TEST_CASE("a node without a name has its host's") {
  CHECK_FALSE(node_name({}).empty());
  config::Config config;
  config.node.name = "node-a";
  CHECK(node_name(config) == "node-a");
  const auto policy = http_policy(config);
  CHECK(std::ranges::find(policy.host_names, "node-a") != policy.host_names.end());
}

TEST_CASE("a node is advertised where its operator says, else where it listens, never at a wildcard") {
  config::Config config;
  const std::vector<SocketAddress> listening{{IpAddress::any(Family::v6), 9470}, {IpAddress::v4({192, 0, 2, 1}), 9470}};
  CHECK(node_info(config, listening).advertise == std::vector<HostPort>{{"192.0.2.1", 9470}});
  config.network.advertise = {{"a.example", 1}};
  CHECK(node_info(config, listening).advertise == config.network.advertise);
}

TEST_CASE("the log is for people on a terminal and for programs elsewhere, unless somebody decided") {
  config::Config config;
  CHECK(log_options(config, true).format == observe::LogFormat::logfmt);
  CHECK(log_options(config, false).format == observe::LogFormat::json);
  config.log.format = config::LogFormat::journal;
  CHECK(log_options(config, true).format == observe::LogFormat::journal);
  config.log.level = "warning,quic=debug";
  const auto levels = log_options(config, true).levels;
  CHECK(levels[static_cast<std::size_t>(observe::Room::quic)] == observe::Level::debug);
  CHECK(levels[static_cast<std::size_t>(observe::Room::app)] == observe::Level::warning);
}

TEST_CASE("tokens, rate and the names of this machine go to the server") {
  config::Config config;
  config.metrics_token = "m";
  config.admin_token = "a";
  config.http.rate_limit = 5;
  config.node.name = "node-a";
  config.network.advertise = {{"node-a.example", 9470}};
  const auto policy = http_policy(config);
  for (const char* name : {"node-a", "node-a.example"}) CHECK(std::ranges::count(policy.host_names, name) == 1);
  CHECK(policy.tokens.metrics == "m");
  CHECK(policy.tokens.admin == "a");
  CHECK(policy.rate_limit == 5);
}

}  // namespace
}  // namespace pw::app
