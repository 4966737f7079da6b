// Bootstraps and relays in /metrics: by their names, exact, and absent where nothing was measured.
#include <catch2/catch_test_macros.hpp>

#include "exposition_reader.hpp"
#include "world.hpp"

using namespace pw;
using namespace pw::test;

namespace {

constexpr Instant kNow{100s};

std::string scrape(observe::Metrics& metrics, std::vector<event::ServerSnapshot> servers,
                   std::optional<event::ServingSnapshot> serving = {}) {
  auto node = node_at(kNow);
  node.servers = std::move(servers);
  node.serving = std::move(serving);
  return render(*metrics.snapshot(node, kWall), observe::Exposition::text);
}

bool has(const std::string& text, const std::string& line) { return text.find(line + "\n") != std::string::npos; }

}  // namespace

TEST_CASE("requests and their times are told by the server's name; what was given up has no time") {
  observe::Metrics metrics{options()};
  using enum event::RequestResult;
  for (const auto result : {success, refused, timeout, lost})
    metrics.handle({kNow, event::ServiceRequested{peer(1), event::ServiceRequest::lookup, result, 21ms}});
  const std::string text = scrape(metrics, {server(1)});
  CHECK(has(text, "bootstrap_requests_total{bootstrap=\"server-1\",request=\"lookup\",result=\"success\"} 5"));
  CHECK(has(text, "bootstrap_requests_total{bootstrap=\"server-1\",request=\"register\",result=\"lost\"} 0"));
  const std::string times = "bootstrap_response_time_ms_bucket{bootstrap=\"server-1\",request=\"lookup\",le=";
  CHECK(has(text, times + "\"10.0\"} 0"));
  CHECK(has(text, times + "\"25.0\"} 2"));
  CHECK(has(text, times + "\"+Inf\"} 2"));
  CHECK(has(text, "bootstrap_response_time_ms_sum{bootstrap=\"server-1\",request=\"lookup\"} 42"));
  CHECK(has(text, "bootstrap_up{bootstrap=\"server-1\"} 1"));
  CHECK(has(text, "p2p_relay_rtt_seconds{relay=\"server-1\",transport=\"quic\"} 0.02"));
}

TEST_CASE("a server that is not connected is down, and has no round trip") {
  observe::Metrics metrics{options()};
  auto s = server(1);
  s.spec.name.clear();
  s.state = event::ServerState::dialling;
  s.rtt.reset();
  s.grants_bootstrap = s.grants_relay = false;
  const std::string text = scrape(metrics, {s});
  CHECK(has(text, "bootstrap_up{bootstrap=\"" + peer(1).to_string() + "\"} 0"));
  CHECK(has(text, "p2p_relay_up{relay=\"" + peer(1).to_string() + "\",transport=\"quic\"} 0"));
  CHECK(text.find("p2p_relay_rtt_seconds") == std::string::npos);
  CHECK(text.find("stun_requests_total") == std::string::npos);
}

TEST_CASE("a relay that is reached by WebSocket is up by that, and by QUIC not") {
  observe::Metrics metrics{options()};
  auto s = server(1);
  s.spec.websocket = WebSocketAddress{"relay.example", 443, "/relay"};
  s.transport = event::Transport::websocket;
  const std::string text = scrape(metrics, {s});
  CHECK(has(text, "p2p_relay_up{relay=\"server-1\",transport=\"quic\"} 0"));
  CHECK(has(text, "p2p_relay_up{relay=\"server-1\",transport=\"websocket\"} 1"));
  CHECK(has(text, "p2p_relay_rtt_seconds{relay=\"server-1\",transport=\"websocket\"} 0.02"));
  CHECK(text.find("p2p_relay_rtt_seconds{relay=\"server-1\",transport=\"quic\"}") == std::string::npos);
}

TEST_CASE("what a server did is told by the roles that it has") {
  observe::Metrics metrics{options()};
  event::ServingSnapshot serving{false, true, {}};
  serving.stats.forwarded_bytes = 1200;
  serving.stats.dropped[static_cast<std::size_t>(event::RelayDrop::rate)] = 3;
  serving.stats.clients = {2, 1};
  const std::string relay = scrape(metrics, {}, serving);
  CHECK(has(relay, "p2p_relay_forwarded_bytes_total 1200"));
  CHECK(has(relay, "p2p_relay_dropped_packets_total{reason=\"rate\"} 3"));
  CHECK(has(relay, "p2p_relay_clients{transport=\"quic\"} 2"));
  CHECK(has(relay, "p2p_relay_clients{transport=\"websocket\"} 1"));
  CHECK(relay.find("bootstrap_registry_entries") == std::string::npos);
  serving.bootstrap = true;
  serving.stats.entries = 7;
  CHECK(has(scrape(metrics, {}, serving), "bootstrap_registry_entries 7"));
}
