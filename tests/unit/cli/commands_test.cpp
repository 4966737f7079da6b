// Commands against a daemon that answers what the test says.
#include "cli/commands.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <sstream>

using namespace pw;
using namespace pw::cli;

namespace {

constexpr const char* kStatus =
    R"({"id":"qqqqqqqqqqqqqqqq","short_id":"qqqqqqqqqq","name":"node-a","mesh":"default","version":"0.1.0",
  "advertise":["192.0.2.1:9470"],"uptime_seconds":200.0,"stopping":false,"healthy":true,"ready":true,"reasons":[],
  "peers":{"total":2,"by_state":{"connected":1,"failed":1,"connecting":0},"by_path":{"direct_v4":1,"none":1}}})";
constexpr const char* kPeers = R"({"peers":[
  {"id":"aaaaaaaaaaaaaaaa","short_id":"aaaaaaaaaa","name":"node-b","state":"connected","state_seconds":60.0,"path":"direct_v4","method":"static","held":false,
   "addresses":["192.0.2.7:9470"],"rtt_ms":0.3,"rtt_smoothed_ms":0.314,"jitter_ms":0.05,"last_seen_seconds":0.4,
   "loss":{"forward":{"expected":60,"lost":3,"ratio":0.05},"return":{"expected":0,"lost":0,"ratio":null}},
   "bandwidth":{"outbound_bytes_per_second":1200.5,"inbound_bytes_per_second":null},
   "paths":[{"kind":"direct_v4","remote":"192.0.2.7:9470","health":"proved","in_use":true,"rtt_ms":0.31,"rtt_min_ms":0.3,"age_seconds":60.0,"last_proof_seconds":0.4}],
   "last_error":null,"next_dial_seconds":null,"failures":0},
  {"id":"bbbbbbbbbbbbbbbb","short_id":"bbbbbbbbbb","name":"node-c","state":"failed","path":"none","method":"static","held":false,"addresses":["h:1"],
   "rtt_smoothed_ms":null,"jitter_ms":null,"last_seen_seconds":null,"loss":{"forward":{"ratio":null},"return":{"ratio":null}},"bandwidth":{},
   "last_error":{"type":"timeout","detail":"nobody answered","age_seconds":5.0},"next_dial_seconds":4.2,"failures":3,"paths":[]}]})";

class FakeDaemon final : public Daemon {
 public:
  Result<Response> ask(std::string_view method, const std::string& target, const std::string& body, Duration) override {
    asked.push_back(std::string{method} + " " + target + (body.empty() ? "" : " " + body));
    if (answers.empty()) return fail("nobody is there");
    auto answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    return answer;
  }
  Result<Response> follow(const std::string& target, const std::string& last_id,
                          const std::function<bool(const StreamEvent&)>& each) override {
    asked.push_back(target + "#" + last_id);
    if (streams.empty()) return fail("nobody is there");
    const auto events = streams.front();
    streams.pop_front();
    for (const auto& event : events)
      if (!each(event)) return Response{200, {}};
    return fail("the stream broke");
  }
  std::deque<Result<Response>> answers;
  std::deque<std::vector<StreamEvent>> streams;
  std::vector<std::string> asked;
};

struct Fixture {
  FakeDaemon daemon;
  std::ostringstream out, err;
  int naps = 0, most_naps = 1000;

  int run(const std::string& line) {
    std::istringstream stream{line};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    const auto parsed = parse_arguments(words, {}, "1");
    REQUIRE(std::holds_alternative<Arguments>(parsed));
    out.str("");
    err.str("");
    return cli::run(std::get<Arguments>(parsed), daemon,
                    Terminal{out, err, false, false, [this](Duration) { return ++naps < most_naps; }});
  }
  bool said(std::string_view text) const { return out.str().find(text) != std::string::npos; }
  bool complained(std::string_view text) const { return err.str().find(text) != std::string::npos; }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "status shows the node and an aligned table of its peers") {
  daemon.answers = {Response{200, kStatus}, Response{200, kPeers}};
  CHECK(run("status") == kGood);
  CHECK(out.str() ==
        "node-a  qqqqqqqqqq  mesh default  peerwatchd 0.1.0  up 3m 20s  ready\n"
        "2 peers: 1 connected, 1 failed (1 direct_v4)\n"
        "\n"
        "NAME    ID          STATE      PATH       RTT      JITTER  LOSS OUT/IN  BANDWIDTH OUT/IN  LAST SEEN  NOTE\n"
        "node-b  aaaaaaaaaa  connected  direct_v4  0.31 ms  50 µs   5.0% / -     1.2 kB/s / -      0.4s ago\n"
        "node-c  bbbbbbbbbb  failed     -          -        -       -            -                 -          "
        "timeout: nobody answered; retries in 4.2s\n");
}

TEST_CASE_METHOD(Fixture, "status --watch goes on until it is interrupted") {
  daemon.answers = {Response{200, kStatus}, Response{200, kPeers}, Response{200, kStatus}, Response{200, kPeers}};
  most_naps = 2;
  CHECK(run("status --watch") == kGood);
  CHECK(daemon.asked.size() == 4);
}

TEST_CASE_METHOD(Fixture, "an answer that nobody gets is bad news, and ends what would go on for ever") {
  out.setstate(std::ios::badbit);  // a full disk, a closed pipe
  daemon.answers = {Response{200, kStatus}, Response{200, kPeers}};
  CHECK(run("status --watch") == kBadNews);
  daemon.answers = {Response{200, R"({"rtt_ms":1.0,"path":"direct_v4","suspect":false})"}};
  CHECK(run("ping node-b -c 0") == kBadNews);
  CHECK(naps == 0);
  daemon.answers = {Response{200, kPeers}};
  CHECK(run("peers") == kBadNews);
}

TEST_CASE_METHOD(Fixture, "status --json is the daemon's own") {
  daemon.answers = {Response{200, kStatus}, Response{200, kPeers}};
  CHECK(run("status --json") == kGood);
  CHECK(said("\"mesh\": \"default\""));
  CHECK(said("\"short_id\": \"bbbbbbbbbb\""));
}

TEST_CASE_METHOD(Fixture, "a daemon that can't be reached is exit code 3, on every command") {
  for (const auto* line : {"status", "peers", "ping x", "bandwidth x", "events", "events --follow", "connect x",
                           "disconnect x", "reload", "export-peer", "netcheck"}) {
    CHECK(run(line) == kUnreachable);
    CHECK(err.str() == "peerwatch: nobody is there\n");
    CHECK(out.str().empty());
  }
}

TEST_CASE_METHOD(Fixture, "the daemon's problem is shown, bad news as 1 and wrong use as 2") {
  const auto problem = [](unsigned status) {
    return Response{status, R"({"detail":"no peer is called \"nodeb\"; did you mean \"node-b\"?"})"};
  };
  for (const auto& [status, code] : {std::pair{404U, kBadNews},
                                     {409U, kBadNews},
                                     {502U, kBadNews},
                                     {504U, kBadNews},
                                     {503U, kBadNews},
                                     {400U, kWrongUse},
                                     {401U, kWrongUse},
                                     {403U, kWrongUse}}) {
    daemon.answers = {problem(status)};
    CHECK(run("peers nodeb") == code);
    CHECK(err.str() == "peerwatch: no peer is called \"nodeb\"; did you mean \"node-b\"?\n");
  }
  daemon.answers = {Response{200, "<html>"}};
  CHECK(run("peers") == kBadNews);
}

TEST_CASE_METHOD(Fixture, "a peer's name is escaped in the target") {
  daemon.answers = {Response{404, "{}"}};
  run("peers a/b%\xc3\xb6");
  CHECK(daemon.asked.at(0) == "GET /api/v1/peers/a%2Fb%25%C3%B6");
}

TEST_CASE_METHOD(Fixture, "ping counts what was answered and sums up") {
  daemon.answers = {Response{200, R"({"rtt_ms":1.0,"path":"direct_v4","suspect":false})"},
                    Response{504, R"({"code":"timeout","detail":"no answer in time"})"},
                    Response{200, R"({"rtt_ms":3.0,"path":"direct_v4","suspect":true})"}};
  CHECK(run("ping node-b -c 3 --size 10") == kGood);
  CHECK(out.str() ==
        "node-b: echo 1 in 1.00 ms over direct_v4\n"
        "node-b: echo 2 failed: no answer in time\n"
        "node-b: echo 3 in 3.00 ms over direct_v4 (this node was busy: suspect)\n"
        "--- node-b: 3 echoes, 2 answered, 33% lost\n"
        "rtt min/avg/max 1.00 ms / 2.00 ms / 3.00 ms\n");
  CHECK(daemon.asked.at(0) == "POST /api/v1/peers/node-b/ping {\"size\":10}");
  CHECK(naps == 2);
}

TEST_CASE_METHOD(Fixture, "ping without an answer is bad news, and an unknown peer ends it at once") {
  daemon.answers = {Response{409, R"({"code":"not_connected","detail":"not connected"})"}};
  CHECK(run("ping node-b -c 2") == kBadNews);
  CHECK(said("0 answered, 100% lost"));
  daemon.answers = {Response{404, R"({"detail":"no such peer"})"}};
  daemon.asked.clear();
  CHECK(run("ping node-x") == kBadNews);
  CHECK(daemon.asked.size() == 1);
  CHECK(complained("no such peer"));
}

TEST_CASE_METHOD(Fixture, "bandwidth asks for what was said and shows both ways") {
  daemon.answers = {Response{
      200, R"({"outbound":{"bytes":5000000,"bytes_per_second":1e6},"inbound":{"bytes":100,"bytes_per_second":2e6}})"}};
  CHECK(run("bandwidth node-b -t 2s --bytes 1MiB") == kGood);
  CHECK(daemon.asked.at(0) == "POST /api/v1/peers/node-b/bandwidth {\"bytes\":1048576,\"duration_ms\":2000}");
  CHECK(said("outbound  1.0 MB/s = 8.0 Mbit/s, 5.0 MB moved\n"));
}

TEST_CASE_METHOD(Fixture, "events are lines, by age and peer when asked") {
  daemon.answers = {Response{
      200,
      R"({"events":[{"seq":1,"time":"2026-01-01T00:00:00.000Z","type":"trouble","message":"disk\u001b[2J full"}]})"}};
  CHECK(run("events --peer node-b --since 90s") == kGood);
  CHECK(out.str() == "2026-01-01T00:00:00.000Z  trouble  disk?[2J full\n");
  CHECK(daemon.asked.at(0) == "GET /api/v1/events?limit=4096&peer=node-b&since=90000ms");
}

TEST_CASE_METHOD(Fixture, "events --follow comes back where it was") {
  const StreamEvent event{"7", "trouble", R"({"time":"t","type":"trouble","message":"m"})"};
  daemon.streams = {{event}, {StreamEvent{"", "missed", R"({"at_most":3})"}}};
  most_naps = 5;
  CHECK(run("events --follow") == kGood);
  CHECK(out.str() == "t  trouble  m\n");
  CHECK(complained("missed"));
  CHECK(daemon.asked.at(0).ends_with("#"));
  CHECK(daemon.asked.at(1).ends_with("#7"));
}

TEST_CASE_METHOD(Fixture, "connect, disconnect and reload say what they did") {
  daemon.answers = {Response{200, R"({"id":"aaaa","name":""})"}};
  CHECK(run("connect aaaa --address h:1") == kGood);
  CHECK(out.str() == "dialling aaaa\n");
  CHECK(daemon.asked.back() == "POST /api/v1/peers/aaaa/connect {\"addresses\":[\"h:1\"]}");
  CHECK(run("disconnect aaaa") == kGood);
  daemon.answers = {Response{200, R"({"success":true,"needs_restart":["network.listen"]})"}};
  CHECK(run("reload") == kGood);
  CHECK(out.str() == "reloaded\ntakes effect at the next start: network.listen\n");
  daemon.answers = {Response{422, R"({"detail":"the configuration has errors","errors":["a.toml:1:2: no"]})"}};
  CHECK(run("reload") == kWrongUse);
  CHECK(complained("  a.toml:1:2: no\n"));
}

TEST_CASE_METHOD(Fixture, "ping --until-direct goes on until an echo goes over a direct path") {
  const auto echo = [](const std::string& path) {
    return Response{200, R"({"rtt_ms":12.0,"suspect":false,"path":")" + path + "\"}"};
  };
  const Response lost{504, R"({"code":"timeout","detail":"no answer in time"})"};
  daemon.answers = {echo("relay_quic"), lost, echo("relay_quic"), echo("direct_v4")};
  CHECK(run("ping node-b --until-direct") == kGood);
  CHECK(out.str() ==
        "node-b: echo 1 in 12.0 ms over relay_quic\n"
        "node-b: echo 2 failed: no answer in time\n"
        "node-b: echo 3 in 12.0 ms over relay_quic\n"
        "node-b: echo 4 in 12.0 ms over direct_v4\n"
        "direct: direct_v4, from echo 4 on\n");
  CHECK(naps == 3);
  daemon.answers = {echo("direct_v6")};
  CHECK(run("ping node-b --until-direct --json") == kGood);
  CHECK(out.str().ends_with("{\"direct\":true,\"reason\":null}\n"));
}

TEST_CASE_METHOD(Fixture, "ping --until-direct that came to no direct path says how the last attempt has ended") {
  const Response relayed{200, R"({"rtt_ms":12.0,"suspect":false,"path":"relay_quic"})"};
  daemon.answers = {relayed, relayed, relayed,
                    Response{200, R"({"events":[{"message":"no direct path to aaaaaaaaaa: these NATs leave nothing to try"}]})"}};
  CHECK(run("ping node-b --until-direct -t 3s") == kBadNews);
  CHECK(out.str().ends_with("echo 3 in 12.0 ms over relay_quic\nnot direct: no direct path to aaaaaaaaaa: these NATs leave nothing to try\n"));
  CHECK(daemon.asked.back() == "GET /api/v1/events?since=24h&limit=1&type=traversal_ended&peer=node-b");
  daemon.answers = {relayed, Response{200, R"({"events":[]})"}};
  CHECK(run("ping node-b --until-direct -t 1s --json") == kBadNews);
  CHECK(out.str().ends_with("{\"direct\":false,\"reason\":\"no attempt at a direct path has ended yet\"}\n"));
  daemon.answers = {Response{409, R"({"code":"not_connected","detail":"there is no session with this peer"})"}};
  CHECK(run("ping node-b --until-direct -t 2s") == kBadNews);
}

TEST_CASE_METHOD(Fixture, "netcheck says what a NAT does, and what was not measured; blocked UDP is bad news") {
  const std::string home =
      R"({"family":"ipv4","state":"measured","behaviour":{"udp":true,"mapped":"192.0.2.77:40000","mapping":"address_dependent",
      "mapping_at_least":true,"filtering":null,"hairpin":false,"allocation":"sequential","step":2,"lifetime_seconds":90.0,
      "expires_seconds":150.0,"servers":1,"confidence":0.99,"not_tested":["filtering: no server has another address"],
      "measured_seconds":12.0}})";
  const std::string blocked = R"({"family":"ipv6","state":"measured","behaviour":{"udp":false,"measured_seconds":3.0}})";
  const auto answer = [](const std::string& families) {
    return Response{200, R"({"enabled":true,"servers":["stun.example:3478"],"unresolved":["b.example: no such host"],"families":[)" +
                             families + "]}"};
  };
  daemon.answers = {answer(home + "," + blocked)};
  CHECK(run("netcheck") == kGood);  // one family passes UDP
  CHECK(daemon.asked.back() == "GET /api/v1/nat");
  CHECK(out.str() ==
        "STUN servers: stun.example:3478\n"
        "not found: b.example: no such host\n"
        "captive portal: not tested\n"
        "\n"
        "IPv4  measured 12s ago\n"
        "  UDP               passes\n"
        "  outer address     192.0.2.77:40000\n"
        "  mapping           address_dependent or stricter: another outer address for each remote\n"
        "  filtering         not known\n"
        "  hairpin           no\n"
        "  outer ports       sequential, by 2\n"
        "  silent mapping    still there after 1m 30s, gone after 2m 30s\n"
        "  confidence        99%, by 1 server\n"
        "  not tested        filtering: no server has another address\n"
        "\n"
        "IPv6  measured 3.0s ago\n"
        "  UDP               blocked: nothing came back from any server\n");
  daemon.answers = {answer(blocked)};
  CHECK(run("netcheck") == kBadNews);
  CHECK(run("netcheck --json") == kBadNews);
  daemon.answers = {Response{200, R"({"families":[],"port_mapping":{"gateway":"192.0.2.1","mapped":null,
      "protocols":[{"protocol":"pcp","state":"unavailable","detail":"the gateway does not answer"}]}})"}};
  out.str("");
  CHECK(run("netcheck") == kGood);
  CHECK(out.str().starts_with("STUN servers: none: bootstraps are, and nat.stun_servers names others\n"));
  CHECK(out.str().ends_with("port mapping  none at 192.0.2.1\n  pcp: the gateway does not answer\n"));
  daemon.answers = {Response{200, R"({"relays":[{"name":"far","up":true,"rtt_ms":80.0,"home":false},
      {"name":"","short_id":"cccccccccc","up":false,"rtt_ms":null,"last_error":{"detail":"nobody answered"}},
      {"name":"near","up":true,"rtt_ms":12.0,"home":true}]})"},
                    Response{200, R"({"families":[]})"}};
  CHECK(run("netcheck") == kGood);
  CHECK(out.str().ends_with("relays, the nearest first\n"
                            "  near        12.0 ms, home\n"
                            "  far         80.0 ms\n"
                            "  cccccccccc  not connected: nobody answered\n"));
  for (const bool verified : {false, true}) {
    const std::string said = verified ? R"("verified":true,"doubt":null)" : R"("verified":false,"doubt":"not tried yet")";
    daemon.answers = {Response{200, R"({"families":[],"port_mapping":{"gateway":"192.0.2.1","protocols":[],"mapped":{)" + said +
                                        R"(,"protocol":"pcp","external":"192.0.2.77:9470"}}})"}};
    out.str("");
    CHECK(run("netcheck") == kGood);
    CHECK(out.str().ends_with(std::string{"port mapping  192.0.2.77:9470 by pcp; "} +
                              (verified ? "reached from outside\n" : "not tried yet\n")));
  }
  daemon.answers = {Response{200, R"({"servers":["stun.example:3478"],"bootstraps":["192.0.2.8:9470"],"families":[]})"}};
  out.str("");
  CHECK(run("netcheck") == kGood);
  CHECK(out.str().starts_with("STUN servers: stun.example:3478; bootstraps 192.0.2.8:9470\n"));
  daemon.answers = {answer(R"({"family":"ipv4","state":"off","behaviour":null})")};
  out.str("");
  CHECK(run("netcheck") == kGood);
  CHECK(out.str().find("IPv4  not measured: nat.enabled is false, or there is neither a bootstrap nor a server in nat.stun_servers\n") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "export-peer is a block for the others' configuration") {
  daemon.answers = {Response{200, kStatus}};
  CHECK(run("export-peer") == kGood);
  CHECK(out.str() == "[[peer]]\nid = \"qqqqqqqqqqqqqqqq\"\nname = \"node-a\"\naddresses = [\"192.0.2.1:9470\"]\n");
  daemon.answers = {Response{200, R"({"id":"q","name":"a \"b\" \\","advertise":[]})"}};
  CHECK(run("export-peer") == kGood);
  CHECK(said("name = \"a \\\"b\\\" \\\\\"\n# Write here"));
}

TEST_CASE_METHOD(Fixture, "one peer in full") {
  daemon.answers = {Response{
      200,
      R"({"id":"aaaa","name":"node-b","state":"connected","state_seconds":60.0,"path":"direct_v4","loss":{"forward":{"expected":60,"lost":3,"ratio":0.05}},
    "paths":[{"kind":"direct_v4","remote":"192.0.2.7:9470","health":"suspect","in_use":true,"rtt_ms":null}]})"}};
  CHECK(run("peers node-b") == kGood);
  CHECK(said("state          connected for 1m\n"));
  CHECK(said("loss outbound  5.0% (3 of 60 in 60s)\n"));
  CHECK(said("*  direct_v4  192.0.2.7:9470  suspect  -"));
}

TEST_CASE_METHOD(Fixture, "a peer's circuit breaker is shown unless it is closed") {
  const auto shown = [this](const char* breaker) {
    out.str("");
    daemon.answers = {Response{200, std::string{R"({"id":"aaaa","name":"node-b","state":"failed","breaker":)"} + breaker + "}"}};
    CHECK(run("peers node-b") == kGood);
    return out.str().find("breaker") != std::string::npos;
  };
  CHECK(shown(R"({"state":"open","failures":6,"next_attempt_seconds":4.2})"));
  CHECK(said("open after 6 failures in a row; one dial in 4.2s\n"));
  CHECK(shown(R"({"state":"half_open","failures":6,"next_attempt_seconds":null})"));
  CHECK(said("half open after 6 failures in a row\n"));
  CHECK_FALSE(shown(R"({"state":"closed","failures":2,"next_attempt_seconds":null})"));
}

TEST_CASE_METHOD(Fixture, "answers of another shape than expected are survived") {
  for (const auto* body : {"{}", R"({"peers":1})", R"({"peers":[1,null,{}]})", R"({"name":5,"peers":{"by_state":[1]}})",
                           R"({"events":5})", R"({"families":[1,{"behaviour":[]}],"servers":3})", R"({"id":5,"name":[],"advertise":5})"})
    for (const auto* line :
         {"status", "peers", "peers x", "ping x -c 1", "bandwidth x", "events", "connect x", "reload", "export-peer", "netcheck"}) {
      daemon.answers = {Response{200, body}};
      INFO(line << " " << body);
      CHECK_NOTHROW(run(line));
    }
}
