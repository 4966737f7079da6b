#include "http/application.hpp"

#include <zlib.h>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "fake_backend.hpp"

using namespace pw;
using namespace pw::http;
using namespace pw::http::test;
using nlohmann::json;

namespace {

struct Fixture {
  FakeBackend backend;
  observe::RecentEvents recent;
  Application application{Policy{{"", "admin"}, {"node-a"}, 50}, backend, recent, backend.metrics->http()};
  Request request;

  Fixture() {
    request.host = "localhost:9470";
    request.has_host = true;
  }
  /// The reply to a request over TCP.
  Reply ask(std::string method, std::string target, std::string body = {}) {
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    request.has_body = !request.body.empty();
    request.content_type = request.has_body ? "application/json" : "";
    return send();
  }
  Reply send() {
    const Admission admission = application.admit(request, kNow);
    if (admission.refusal) return *admission.refusal;
    std::optional<Reply> made;
    application.answer(admission, request, kWall, [&](Reply reply) { made = std::move(reply); });
    REQUIRE(made);
    return *made;
  }
  Reply control(std::string method, std::string target, std::string body = {}) {
    request.client.control = true;
    return ask(std::move(method), std::move(target), std::move(body));
  }
};

json body_of(const Reply& reply) { return json::parse(reply.body); }

std::string gunzip(const std::string& packed) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

std::string header(const Reply& reply, std::string_view key) {
  for (const auto& [name, value] : reply.headers)
    if (name == key) return value;
  return {};
}

}  // namespace

TEST_CASE_METHOD(Fixture, "metrics come as the client likes them") {
  const Reply text = ask("GET", "/metrics");
  CHECK(text.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(text.body.find("# TYPE p2p_connections_active gauge") != std::string::npos);
  CHECK(text.body.find("# EOF") == std::string::npos);
  request.accept = "application/openmetrics-text";
  const Reply open = ask("GET", "/metrics");
  CHECK(open.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8");
  CHECK(open.body.ends_with("# EOF\n"));
  request.accept_encoding = "gzip";
  const Reply packed = ask("GET", "/metrics");
  CHECK(header(packed, "Content-Encoding") == "gzip");
  CHECK(packed.body.size() < open.body.size() / 2);
  CHECK(gunzip(packed.body) == open.body);
}

TEST_CASE_METHOD(Fixture, "a new snapshot is rendered anew") {
  const std::string before = ask("GET", "/metrics").body;
  auto node = std::make_shared<event::NodeSnapshot>(*backend.picture.node);
  node->peers[0].state = event::SessionState::failed;
  backend.picture = {node, backend.metrics->snapshot(*node, kWall), kWall};
  CHECK(ask("GET", "/metrics").body != before);
}

TEST_CASE_METHOD(Fixture, "health and readiness have their codes and reasons") {
  CHECK(ask("GET", "/-/healthy").status == 200);
  CHECK(ask("GET", "/-/ready").status == 200);
  backend.healthy_now = false;
  backend.ready.reasons = {"no peer was reached yet"};
  CHECK(ask("GET", "/-/healthy").status == 503);
  const Reply unready = ask("GET", "/-/ready");
  CHECK(unready.status == 503);
  CHECK(unready.content_type == "application/problem+json");
  CHECK(body_of(unready)["reasons"] == json{"no peer was reached yet"});
}

TEST_CASE_METHOD(Fixture, "status counts peers by state and path") {
  const json status = body_of(ask("GET", "/api/v1/status"));
  CHECK(status["name"] == "node-a");
  CHECK(status["id"] == peer_id(0).to_string());
  CHECK(status["uptime_seconds"] == 100.0);
  CHECK(status["at"] == "2025-11-21T10:22:02.123Z");
  CHECK(status["started"] == "2025-11-21T10:20:22.123Z");
  CHECK(status["peers"]["by_state"]["connected"] == 1);
  CHECK(status["peers"]["by_state"]["failed"] == 3);
  CHECK(status["peers"]["by_path"]["direct_v4"] == 1);
  CHECK(status["advertise"] == json{"192.0.2.1:9470"});
  CHECK(status["ready"] == true);
}

TEST_CASE_METHOD(Fixture, "a peer's measurements are served, and what was not measured is null") {
  const json peer = body_of(ask("GET", "/api/v1/peers/node-b"));
  CHECK(peer["rtt_ms"] == 2.0);
  CHECK(peer["rtt_smoothed_ms"] == 2.5);
  CHECK(peer["loss"]["forward"]["ratio"] == 0.05);
  CHECK(peer["loss"]["return"]["ratio"].is_null());
  CHECK(peer["bandwidth"]["inbound_bytes_per_second"].is_null());
  CHECK(peer["bandwidth"]["outbound_bytes_per_second"] == 1200.5);
  CHECK(peer["paths"][0]["age_seconds"] == 60.0);
  CHECK(peer["paths"][0]["rtt_ms"] == 1.5);
  CHECK(peer["traffic"]["direct_v4"]["outbound"]["bytes"] == 12345);
  CHECK(peer["estimate"]["inbound"]["age_seconds"] == 10.0);
  CHECK(peer["estimate"]["outbound"].is_null());
  CHECK(peer["next_dial"].is_null());
  CHECK(peer["breaker"] == json{{"state", "closed"}, {"failures", 0}, {"next_attempt", nullptr}, {"next_attempt_seconds", nullptr}});
  const json failed = body_of(ask("GET", "/api/v1/peers/node-c"));
  CHECK(failed["breaker"]["state"] == "open");
  CHECK(failed["breaker"]["failures"] == 6);
  CHECK(failed["breaker"]["next_attempt_seconds"] == 4.0);
  CHECK(failed["rtt_ms"].is_null());
  CHECK(failed["dialled"].is_null());
  CHECK(failed["next_dial_seconds"] == 4.0);
  CHECK(failed["last_error"]["type"] == "timeout");
  CHECK(failed["last_error"]["detail"] == "nobody answered at \xef\xbf\xbd");
  CHECK(body_of(ask("GET", "/api/v1/peers"))["peers"].size() == 4);
}

TEST_CASE_METHOD(Fixture, "a peer goes by id, name or a unique beginning of its id") {
  const std::string id = peer_id(1).to_string();
  CHECK(body_of(ask("GET", "/api/v1/peers/" + id))["name"] == "node-b");
  CHECK(body_of(ask("GET", "/api/v1/peers/" + id.substr(0, 8)))["name"] == "node-b");
  CHECK(ask("GET", "/api/v1/peers/twin").status == 409);
  CHECK(ask("GET", "/api/v1/peers/" + peer_id(99).to_string()).status == 404);
  const Reply misspelt = ask("GET", "/api/v1/peers/nodeb");
  CHECK(misspelt.status == 404);
  CHECK(body_of(misspelt)["detail"].get<std::string>().find("did you mean \"node-b\"") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "commands carry what the body says, and answers come back as numbers") {
  backend.answer = event::PingAnswer{1500us, event::PathKind::direct_v6, false};
  CHECK(body_of(control("POST", "/api/v1/peers/node-b/ping", R"({"size":100})")) == json{{"id", peer_id(1).to_string()},
                                                                                         {"name", "node-b"},
                                                                                         {"rtt_ms", 1.5},
                                                                                         {"path", "direct_v6"},
                                                                                         {"suspect", false}});
  CHECK(std::get<event::Ping>(backend.commands.back()).size == 100);
  CHECK(std::get<event::Ping>(backend.commands.back()).peer == peer_id(1));

  backend.answer = event::BandwidthAnswer{100, 1000.5, 200, 2000.5};
  const json bandwidth =
      body_of(control("POST", "/api/v1/peers/node-b/bandwidth", R"({"bytes":100,"duration_ms":1000})"));
  CHECK(bandwidth["outbound"] == json{{"bytes", 100}, {"bytes_per_second", 1000.5}});
  CHECK(bandwidth["inbound"] == json{{"bytes", 200}, {"bytes_per_second", 2000.5}});
  CHECK(std::get<event::MeasureBandwidth>(backend.commands.back()).duration == 1s);

  backend.answer = event::Done{};
  CHECK(control("POST", "/api/v1/peers/node-c/connect").status == 200);
  CHECK(control("POST", "/api/v1/peers/node-b/disconnect").status == 200);
  CHECK(std::get<event::Disconnect>(backend.commands.back()).peer == peer_id(1));
}

TEST_CASE_METHOD(Fixture, "what NATs do is told by family, and what was not measured is null") {
  const json nat = body_of(ask("GET", "/api/v1/nat"));
  CHECK(nat["servers"] == json::array({"stun.example:3478"}));
  CHECK(nat["bootstraps"] == json::array({"192.0.2.8:9470"}));
  CHECK(nat["unresolved"] == json::array({"b.example: no such host"}));
  REQUIRE(nat["families"].size() == 2);
  const json& v4 = nat["families"][0]["behaviour"];
  CHECK(nat["families"][0]["family"] == "ipv4");
  CHECK(v4["udp"] == true);
  CHECK(v4["mapped"] == "192.0.2.77:40000");
  CHECK(v4["mapping"] == "endpoint_independent");
  CHECK(v4["filtering"].is_null());
  CHECK(v4["hairpin"].is_null());
  CHECK(v4["step"].is_null());
  CHECK(v4["lifetime_seconds"] == 90);
  CHECK(v4["expires_seconds"].is_null());
  CHECK(v4["measured_seconds"] == 12);
  CHECK(nat["port_mapping"]["gateway"] == "192.0.2.254");
  CHECK(nat["port_mapping"]["mapped"]["external"] == "192.0.2.77:9470");
  CHECK(nat["port_mapping"]["mapped"]["verified"] == false);
  CHECK(nat["port_mapping"]["mapped"]["doubt"] == "not tried from outside yet");
  CHECK(nat["port_mapping"]["mapped"]["expires_seconds"] == 3600);
  CHECK(nat["port_mapping"]["protocols"][1]["detail"] == "the gateway does not answer");
  CHECK(nat["families"][1]["state"] == "no_address");
  CHECK(nat["candidates"] == json::array({{{"kind", "server_reflexive"}, {"address", "192.0.2.77:40000"}, {"priority", 7}}}));
  CHECK(nat["families"][1]["behaviour"].is_null());
}

TEST_CASE_METHOD(Fixture, "a peer that nobody knows yet can be dialled by id and address only") {
  const std::string target = "/api/v1/peers/" + peer_id(9).to_string() + "/connect";
  CHECK(control("POST", target).status == 404);
  CHECK(control("POST", "/api/v1/peers/somebody/connect", R"({"addresses":["h:1"]})").status == 404);
  CHECK(backend.commands.empty());
  CHECK(control("POST", target, R"({"addresses":["h:1"]})").status == 200);
  CHECK(std::get<event::Connect>(backend.commands.at(0)).addresses == std::vector{HostPort{"h", 1}});
}

TEST_CASE_METHOD(Fixture, "every failure of a command has a status and its name") {
  using enum event::CommandError;
  const std::vector<std::pair<event::CommandError, unsigned>> expected = {
      {unknown_peer, 404}, {not_connected, 409}, {timeout, 504}, {busy, 429},    {quota, 429},
      {refused, 502},      {lost, 502},          {invalid, 400}, {stopping, 503}};
  REQUIRE(expected.size() == enum_count<event::CommandError>());
  for (const auto& [code, status] : expected) {
    backend.answer = tl::unexpected{event::CommandFailure{code, ""}};
    const Reply reply = control("POST", "/api/v1/peers/node-b/ping");
    CHECK(reply.status == status);
    CHECK(body_of(reply)["code"] == name(code));
    CHECK((status == 429) == !header(reply, "Retry-After").empty());
  }
}

TEST_CASE_METHOD(Fixture, "a broken body is an error before the backend hears of it") {
  CHECK(control("POST", "/api/v1/peers/node-b/ping", "{\"size\":-1}").status == 400);
  CHECK(control("POST", "/-/reload", "{\"now\":true}").status == 400);
  CHECK(control("POST", "/api/v1/peers/node-b/disconnect", "[]").status == 400);
  CHECK(backend.commands.empty());
}

TEST_CASE_METHOD(Fixture, "a reload says what needs a restart, or what is wrong") {
  CHECK(body_of(control("POST", "/-/reload"))["needs_restart"] == json{"network.listen"});
  backend.outcome = {false, {"a.toml:1:2: no"}, {}};
  const Reply failed = control("POST", "/-/reload");
  CHECK(failed.status == 422);
  CHECK(body_of(failed)["errors"] == json{"a.toml:1:2: no"});
  backend.outcome = {false, {}, {}, "the daemon is stopping"};
  const Reply later = control("POST", "/-/reload");
  CHECK(later.status == 503);  // the configuration is not to blame
  CHECK(body_of(later)["detail"] == "the daemon is stopping");
}

TEST_CASE_METHOD(Fixture, "people see what is now, scrapers that come together share a picture") {
  for (const char* target : {"/api/v1/status", "/api/v1/peers", "/api/v1/peers/node-b", "/api/v1/events?peer=node-b"}) {
    backend.oldest_wanted = {};
    CHECK(ask("GET", target).status == 200);
    CHECK(backend.oldest_wanted == 100ms);
  }
  CHECK(ask("GET", "/metrics").status == 200);
  CHECK(backend.oldest_wanted == 1s);
}

TEST_CASE_METHOD(Fixture, "events are the last ones, or what follows a number") {
  add_events(recent, 1, 300);
  const json last = body_of(ask("GET", "/api/v1/events"));
  REQUIRE(last["events"].size() == 100);
  CHECK(last["events"][0]["seq"] == 201);
  CHECK(last["newest"] == 300);
  const json page = body_of(ask("GET", "/api/v1/events?since=10&limit=5"));
  REQUIRE(page["events"].size() == 5);
  CHECK(page["events"][0]["seq"] == 11);
  CHECK(body_of(ask("GET", "/api/v1/events?peer=node-b&limit=4096"))["events"].size() == 150);
  CHECK(body_of(ask("GET", "/api/v1/events?type=trouble"))["events"].empty());
  CHECK(body_of(ask("GET", "/api/v1/events?peer=" + peer_id(77).to_string()))["events"].empty());
  for (const auto* query :
       {"since=-1", "since=5x", "limit=0", "limit=x", "limit=4097", "typ=x", "type=state_change", "peer=nobody"})
    CHECK(ask("GET", std::string{"/api/v1/events?"} + query).status / 100 == 4);
  CHECK(ask("GET", "/api/v1/events?type=state_change").body.find("state_changed") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "events can be asked for by age") {
  add_events(recent, 1, 300);
  request.method = "GET";
  request.target = "/api/v1/events?since=10s&limit=1000";
  const Admission admission = application.admit(request, kNow);
  REQUIRE_FALSE(admission.refusal);
  json found;
  application.answer(admission, request, kWall + 300s, [&](const Reply& reply) { found = body_of(reply); });
  CHECK(found["events"].size() == 11);
}

TEST_CASE_METHOD(Fixture, "a stream starts now, after a number, or after Last-Event-ID") {
  add_events(recent, 1, 5);
  const Reply now = ask("GET", "/api/v1/events/stream");
  CHECK(now.is_stream);
  CHECK_FALSE(now.stream.resumes);
  CHECK(now.stream.after == 5);
  CHECK(ask("GET", "/api/v1/events/stream?since=2").stream.after == 2);
  request.last_event_id = "4";
  CHECK(ask("GET", "/api/v1/events/stream?since=2").stream.after == 4);
  request.last_event_id = "x";
  CHECK(ask("GET", "/api/v1/events/stream").stream.after == 5);
}

TEST_CASE_METHOD(Fixture, "what does not fit a route is refused with its status") {
  CHECK(ask("GET", "/nothing").status == 404);
  const Reply wrong = ask("DELETE", "/api/v1/status");
  CHECK(wrong.status == 405);
  CHECK(header(wrong, "Allow") == "GET, HEAD");
  CHECK(header(ask("GET", "/-/reload"), "Allow") == "POST");
  CHECK(ask("GET", "/%").status == 400);
  CHECK(ask("GET", "/" + std::string(3000, 'a')).status == 414);
  CHECK(ask("HEAD", "/metrics").status == 200);
  CHECK(ask("POST", "/-/reload").status == 401);
  request.authorization = "Bearer admin";
  CHECK(ask("POST", "/-/reload").status == 200);
  request.origin = "http://evil.example";
  CHECK(ask("POST", "/-/reload").status == 403);
  CHECK(ask("GET", "/metrics").status == 200);
  CHECK(backend.rejected("forbidden_origin") == 1);
}

TEST_CASE_METHOD(Fixture, "a body must be JSON") {
  request.client.control = true;
  request.method = "POST";
  request.target = "/-/reload";
  request.body = "{}";
  request.has_body = true;
  for (const auto* type : {"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}) {
    request.content_type = type;
    CHECK(send().status == 415);
  }
  request.content_type = "application/json; charset=utf-8";
  CHECK(send().status == 200);
}

TEST_CASE_METHOD(Fixture, "another name for this server is refused over TCP only") {
  request.host = "evil.example";
  CHECK(ask("GET", "/metrics").status == 403);
  CHECK(backend.rejected("forbidden_host") == 1);
  request.host = "localhost";
  CHECK(ask("GET", "http://evil.example/metrics").status == 403);
  CHECK(ask("GET", "http://node-a/metrics").status == 200);
  request.host = "evil.example";
  CHECK(control("GET", "/metrics").status == 200);
  request.client.control = false;
  request.has_host = false;
  request.host.clear();
  CHECK(ask("GET", "/metrics").status == 400);
  request.http_1_0 = true;
  CHECK(ask("GET", "/metrics").status == 200);
}

TEST_CASE_METHOD(Fixture, "scrapes have a budget of their own, the control socket has none") {
  for (int i = 0; i < 100; ++i) CHECK(ask("GET", "/api/v1/config").status == 200);
  const Reply refused = ask("GET", "/api/v1/config");
  CHECK(refused.status == 429);
  CHECK(header(refused, "Retry-After") == "1");
  CHECK(backend.rejected("rate_limited") == 1);
  CHECK(ask("GET", "/metrics").status == 200);
  CHECK(control("GET", "/api/v1/config").status == 200);
}

TEST_CASE_METHOD(Fixture, "a daemon without a picture of itself says so") {
  backend.picture = {};
  CHECK(ask("GET", "/metrics").status == 503);
  CHECK(ask("GET", "/api/v1/status").status == 503);
  CHECK(ask("GET", "/-/healthy").status == 200);
}

TEST_CASE_METHOD(Fixture, "servers are told with what was measured of them, and null where nothing was") {
  const json bootstraps = body_of(ask("GET", "/api/v1/bootstraps"));
  REQUIRE(bootstraps["bootstraps"].size() == 1);
  const json& up = bootstraps["bootstraps"][0];
  CHECK(up["name"] == "relay-1");
  CHECK(up["up"] == true);
  CHECK(up["rtt_ms"] == 20.0);
  CHECK(up["observed"] == "198.51.100.1:40000");
  CHECK(up["requests"]["lookup"]["success_ratio"] == 0.75);
  CHECK(up["requests"]["lookup"]["last_response_ms"] == 21.0);
  CHECK(up["requests"]["observe"]["success_ratio"].is_null());
  CHECK(bootstraps["serving"]["entries"] == 4);
  const json relays = body_of(ask("GET", "/api/v1/relays"));
  REQUIRE(relays["relays"].size() == 2);
  CHECK(relays["relays"][0]["home"] == true);
  CHECK(relays["relays"][1]["up"] == false);
  CHECK(relays["relays"][1]["rtt_ms"].is_null());
  CHECK(relays["relays"][1]["last_error"]["type"] == "dns");
  CHECK(relays["serving"]["forwarded_bytes"] == 1200);
  const json peer = body_of(ask("GET", "/api/v1/peers/node-b"));
  CHECK(peer["paths"][1]["remote"].is_null());
  CHECK(peer["paths"][1]["relay"] == peer_id(8).to_string());
}
