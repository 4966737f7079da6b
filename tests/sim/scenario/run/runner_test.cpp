// What a run says is what happened: expectations that hold and that don't, faults on record, JSON.
#include "sim/scenario/run/runner.hpp"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace pw;
using namespace pw::sim;
using namespace pw::sim::scenario;

namespace {

const std::string kNetwork = R"(about = "a behind a NAT, b and c on the internet"
[[segment]]
name = "internet"
link = {delay = "20ms"}
[[segment]]
name = "lan"
[[router]]
name = "home"
outer = {segment = "internet", addresses = ["11.0.1.1"]}
inner = {segment = "lan", addresses = ["192.168.1.1"]}
nat = {mapping = "address-dependent", filtering = "address-dependent"}
[[host]]
name = "a"
attach = {segment = "lan", addresses = ["192.168.1.10"]}
peers = ["b"]
[[host]]
name = "b"
attach = {segment = "internet", addresses = ["11.0.0.1"], link = {delay = "5ms"}}
peers = ["a", "c", "late"]
hidden = ["a"]
[[host]]
name = "c"
attach = {segment = "internet", addresses = ["11.0.0.2"]}
peers = ["b"]
[[host]]
name = "late"
attach = {segment = "internet", addresses = ["11.0.0.5"]}
peers = ["b"]
start = false
[[host]]
name = "stun"
attach = {segment = "internet", addresses = ["11.0.0.3", "11.0.0.4"]}
serves = "stun"
)";

Report run_with(const std::string& script, std::uint64_t seed = 1) {
  const auto loaded = load("test.toml", kNetwork + script);
  for (const auto& problem : loaded.problems) FAIL(problem.to_string());
  const Report report = run(loaded.scenario, seed);
  CHECK(report.broken_rule == "");
  return report;
}

std::string act(const std::string& at, const std::string& what) { return "[[do]]\nat = \"" + at + "\"\n" + what + "\n"; }
std::string expect(const std::string& keys) { return "[[expect]]\n" + keys + "\n"; }

/// The only expectation's verdict.
Verdict verdict(const std::string& script) {
  const Report report = run_with(script);
  REQUIRE(report.results.size() == 1);
  CHECK(report.passed() == report.results[0].ok);
  CHECK(report.results[0].ok == report.results[0].why.empty());
  return report.results[0];
}

}  // namespace

TEST_CASE("who connects is seen when it happens, also through a NAT") {
  const Verdict v = verdict(expect("connected = [\"a\", \"b\"]\nby = \"5s\""));
  CHECK(v.ok);
  REQUIRE(v.at_s);
  CHECK(*v.at_s > 0.1);  // three times there and back at 50 ms
  CHECK(*v.at_s < 1);
}

TEST_CASE("who never connects is told, by what each end says") {
  const Verdict v = verdict(expect("connected = [\"late\", \"b\"]\nby = \"5s\""));
  CHECK_FALSE(v.ok);
  CHECK_FALSE(v.at_s);
  CHECK(v.why.find("late says not running") != std::string::npos);
  CHECK(verdict(expect("connected = [\"late\", \"b\"]\nat = \"5s\"")).why.starts_with("late says not running"));
  CHECK(verdict(expect("disconnected = [\"late\", \"b\"]\nat = \"5s\"")).ok);
  CHECK_FALSE(verdict(expect("disconnected = [\"a\", \"b\"]\nat = \"5s\"")).ok);
}

TEST_CASE("a host that starts later connects later") {
  const Verdict v = verdict(act("10s", "what = \"start\"\nhost = \"late\"") +
                            expect("connected = [\"late\", \"b\"]\nby = \"50s\"\nafter = \"0s\""));
  CHECK(v.ok);
  CHECK(v.at_s.value_or(0) > 10);
}

TEST_CASE("what is watched is watched from the last thing done before on, or from when the file says") {
  const std::string kill = act("10s", "what = \"kill\"\nhost = \"c\"");
  const Verdict before = verdict(kill + expect("connected = [\"b\", \"c\"]\nby = \"50s\"\nafter = \"0s\""));
  CHECK(before.at_s.value_or(99) < 1);
  const Verdict since = verdict(kill + expect("disconnected = [\"b\", \"c\"]\nby = \"55s\""));
  CHECK(since.ok);
  CHECK(since.at_s.value_or(0) > 30);
}

TEST_CASE("a daemon that is stopped says goodbye, one that is killed says nothing") {
  const std::string gone = expect("disconnected = [\"b\", \"c\"]\nat = \"11s\"");
  CHECK(verdict(act("10s", "what = \"stop\"\nhost = \"c\"") + gone).ok);
  CHECK_FALSE(verdict(act("10s", "what = \"kill\"\nhost = \"c\"") + gone).ok);
}

TEST_CASE("both ends must say so") {
  // Killed a second ago: c says nothing any more, b does not know yet.
  const std::string kill = act("10s", "what = \"kill\"\nhost = \"c\"");
  for (const char* pair : {"[\"b\", \"c\"]", "[\"c\", \"b\"]"})
    for (const char* what : {"connected", "disconnected"})
      CHECK_FALSE(verdict(kill + expect(std::string{what} + " = " + pair + "\nat = \"11s\"")).ok);
}

TEST_CASE("a daemon that has said goodbye is gone") {
  const Verdict v = verdict(act("10s", "what = \"stop\"\nhost = \"c\"") + expect("connected = [\"c\", \"b\"]\nat = \"20s\""));
  CHECK(v.why.starts_with("c says not running"));
}

TEST_CASE("a frozen process is missed, and found again") {
  const std::string freeze = act("10s", "what = \"freeze\"\nhost = \"c\"\nfor = \"2m\"");
  const Verdict during = verdict(freeze + expect("disconnected = [\"b\", \"c\"]\nat = \"1m30s\""));
  CHECK(during.why.find("b says connected") == std::string::npos);
  CHECK(during.why.ends_with("c says connected"));  // it had no chance to notice
  CHECK(verdict(freeze + expect("connected = [\"b\", \"c\"]\nat = \"5m\"")).ok);
}

TEST_CASE("who is hidden from one another is not reached") {
  std::string file = kNetwork + expect("connected = [\"b\", \"c\"]\nby = \"30s\"");
  const std::string hides = "hidden = [\"a\"]";
  file.replace(file.find(hides), hides.size(), "hidden = [\"a\", \"c\"]");
  const std::string of_c = "\"11.0.0.2\"]}\npeers = [\"b\"]";
  CHECK(run(load("x.toml", file).scenario, 1).passed());  // c still knows where b is
  file.replace(file.find(of_c), of_c.size(), of_c + "\nhidden = [\"b\"]");
  const auto loaded = load("x.toml", file);
  REQUIRE(loaded.ok());
  CHECK_FALSE(run(loaded.scenario, 1).passed());
}

TEST_CASE("the round trip is that of segment and access together, and another one is told") {
  const Verdict v = verdict(expect("rtt = \"50ms\"\npair = [\"b\", \"c\"]\nat = \"20s\"\nwithin = 0.02"));
  CHECK(v.ok);
  CHECK(v.rtt_ms.value_or(0) == Catch::Approx(50).epsilon(0.02));
  const Verdict wrong = verdict(expect("rtt = \"40ms\"\npair = [\"b\", \"c\"]\nat = \"20s\""));
  CHECK_FALSE(wrong.ok);
  CHECK(wrong.why.starts_with("rtt_ms is 50"));
  CHECK(wrong.why.ends_with(", expected 40 ± 4"));
  const Verdict none = verdict(expect("rtt = \"40ms\"\npair = [\"late\", \"b\"]\nat = \"20s\""));
  CHECK(none.why == "rtt_ms is unknown, expected 40 ± 4");
}

TEST_CASE("a link that is changed changes one direction or both, and only then") {
  const std::string change = "what = \"link\"\nfrom = \"b\"\nto = \"c\"\nset = {delay = \"120ms\"}\n";
  const std::string rtt = expect("rtt = \"150ms\"\npair = [\"b\", \"c\"]\nat = \"60s\"");
  CHECK(verdict(act("0s", change + "both = false") + rtt).ok);
  CHECK_FALSE(verdict(act("0s", change) + rtt).ok);
  CHECK_FALSE(verdict(act("59s", change + "both = false") + rtt).ok);
}

TEST_CASE("loss is that of its direction") {
  const std::string lossy =
      act("0s", "what = \"link\"\nfrom = \"b\"\nto = \"c\"\nset = {loss = 0.4}\nboth = false");
  const Verdict there = verdict(lossy + expect("loss = 0.4\npair = [\"b\", \"c\"]\nat = \"10m\"\nwithin = 0.1"));
  CHECK(there.ok);
  const Verdict back = verdict(lossy + expect("loss = 0.4\npair = [\"c\", \"b\"]\nat = \"10m\"\nwithin = 0.1"));
  CHECK_FALSE(back.ok);
  CHECK(back.loss == 0.0);
  CHECK(back.why == "loss is 0, expected 0.4 ± 0.1");
}

TEST_CASE("a NAT that is not as expected is told by its axis") {
  const std::string asked = "behind = \"a\"\nserver = \"stun\"\nat = \"3s\"";
  CHECK(verdict(expect("nat = {mapping = \"address-dependent\", filtering = \"address-dependent\"}\n" + asked)).ok);
  const Verdict mapping = verdict(expect("nat = {mapping = \"endpoint-independent\"}\n" + asked));
  CHECK(mapping.why == "mapping is address-dependent, expected endpoint-independent");
  const Verdict filtering = verdict(expect("nat = {filtering = \"endpoint-independent\"}\n" + asked));
  CHECK(filtering.why == "filtering is address-dependent, expected endpoint-independent");
  CHECK(filtering.nat == Translation::translated);
  CHECK(verdict(expect("nat = \"none\"\n" + asked)).why == "nat is translated, expected none");
  CHECK(verdict(expect("nat = \"udp-blocked\"\n" + asked)).why == "nat is translated, expected udp-blocked");
  CHECK(verdict(expect("nat = \"none\"\nbehind = \"b\"\nserver = \"stun\"\nat = \"3s\"")).ok);
}

TEST_CASE("what is done to hosts and routers is done, and is on record with whom it touches") {
  const Report report = run_with(
      act("5s", "what = \"unplug\"\nhost = \"c\"") + act("6s", "what = \"plug\"\nhost = \"c\"") +
      act("10s", "what = \"freeze\"\nhost = \"b\"\nfor = \"2s\"") +
      act("20s", "what = \"reboot\"\nrouter = \"home\"\nfor = \"1s\"") +
      act("30s", "what = \"link\"\nfrom = \"home\"\nto = \"b\"\nset = {up = false}\nboth = false") +
      act("31s", "what = \"link\"\nfrom = \"b\"\nto = \"home\"\nset = {loss = 0.1}") +
      act("40s", "what = \"addresses\"\nrouter = \"home\"\naddresses = [\"11.0.1.77\"]") +
      act("50s", "what = \"kill\"\nhost = \"c\"") + expect("connected = [\"a\", \"b\"]\nat = \"3m\""));
  CHECK(report.passed());
  const Instant zero = report.faults.at(0).start - 5s;
  struct Row {
    FaultKind kind;
    std::optional<std::size_t> host, other;
    Duration start;
    std::optional<Duration> end;
    Effect effect;
  };
  // Hosts by their order in the file: a 0, b 1, c 2.
  const Row rows[] = {{FaultKind::interface_down, 2, {}, 5s, 6s, Effect::kills_path},
                      {FaultKind::stopped, 1, {}, 10s, 12s, Effect::kills_path},
                      {FaultKind::nat_reboot, 0, {}, 20s, 21s, Effect::kills_path},
                      {FaultKind::one_way, 0, 1, 30s, 31s, Effect::kills_path},
                      {FaultKind::loss, 1, 0, 31s, {}, Effect::degrades},
                      {FaultKind::loss, 0, 1, 31s, {}, Effect::degrades},
                      {FaultKind::nat_addresses, 0, {}, 40s, {}, Effect::kills_path},
                      {FaultKind::crash, 2, {}, 50s, {}, Effect::kills_session}};
  REQUIRE(report.faults.size() == std::size(rows));
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const Fault& fault = report.faults[i];
    INFO("fault " << i << ": " << fault.to_string());
    CHECK(fault.kind == rows[i].kind);
    CHECK(fault.host == rows[i].host);
    CHECK(fault.other == rows[i].other);
    CHECK(fault.start == zero + rows[i].start);
    CHECK(fault.end.has_value() == rows[i].end.has_value());
    if (fault.end && rows[i].end) CHECK(*fault.end == zero + *rows[i].end);
    CHECK(fault.effect == rows[i].effect);
  }
}

TEST_CASE("a cable that is pulled and a host that moves are really gone") {
  CHECK(verdict(act("5s", "what = \"unplug\"\nhost = \"c\"") + expect("disconnected = [\"b\", \"c\"]\nby = \"50s\"")).ok);
  const std::string home_moves = act("5s", "what = \"addresses\"\nhost = \"c\"\naddresses = [\"11.0.0.9\"]");
  CHECK(verdict(home_moves + expect("connected = [\"b\", \"c\"]\nat = \"3m\"")).ok);  // c knows where b is
}

TEST_CASE("the same seed gives the same run") {
  const std::string script = act("0s", "what = \"link\"\nfrom = \"b\"\nto = \"c\"\nset = {loss = 0.4, jitter = \"30ms\"}") +
                             expect("loss = 0.4\npair = [\"b\", \"c\"]\nat = \"3m\"\nwithin = 1") +
                             expect("rtt = \"50ms\"\npair = [\"b\", \"c\"]\nat = \"3m\"\nwithin = 1");
  CHECK(to_json(run_with(script, 7)) == to_json(run_with(script, 7)));
  CHECK(run_with(script, 7).results[1].rtt_ms != run_with(script, 8).results[1].rtt_ms);
}

TEST_CASE("a report is the JSON that the document promises, and a broken rule fails it") {
  Report report;
  report.scenario = "x";
  report.seed = 3;
  Verdict good;
  good.ok = true;
  good.at_s = 0.60004;
  Verdict bad;
  bad.why = "\"so\"";
  bad.nat = Translation::udp_blocked;
  report.results = {good};
  CHECK(report.passed());
  report.broken_rule = "storm: a sent too much";
  CHECK_FALSE(report.passed());
  report.results = {good, bad};
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json == nlohmann::json::parse(R"({"scenario": "x", "engine": "simulator", "seed": 3, "skipped": null,
    "passed": false, "broken_rule": "storm: a sent too much", "results": [
      {"expect": 0, "ok": true, "seen": {"at_s": 0.6}, "why": ""},
      {"expect": 1, "ok": false, "seen": {"nat": "udp-blocked"}, "why": "\"so\""}]})"));
  report.broken_rule.clear();
  CHECK(nlohmann::json::parse(to_json(report)).at("broken_rule").is_null());
}
