// What a scenario file says is read, and every kind of mistake in one is told, with its place and its table.
#include <catch2/catch_test_macros.hpp>

#include "sim/scenario/scenario.hpp"

using namespace pw;
using namespace pw::sim::scenario;

namespace {

// One that is good: mistakes are put into it.
const std::string kGood = R"(about = "two and a server"
[[segment]]
name = "net"
link = {delay = "20ms"}
[[segment]]
name = "lan"
[[router]]
name = "home"
outer = {segment = "net", addresses = ["11.0.1.1"]}
inner = {segment = "lan", addresses = ["192.168.1.1"]}
nat = {mapping = "endpoint-independent", filtering = "address-dependent"}
[[host]]
name = "a"
attach = {segment = "lan", addresses = ["192.168.1.10"]}
peers = ["b"]
[[host]]
name = "b"
attach = {segment = "net", addresses = ["11.0.0.1"]}
peers = ["a"]
hidden = ["a"]
[[host]]
name = "server"
attach = {segment = "net", addresses = ["11.0.0.2", "11.0.0.3"]}
serves = "stun"
)";

std::vector<std::string> problems_of(const std::string& text) {
  std::vector<std::string> out;
  for (const auto& problem : load("dir/file.toml", text).problems) out.push_back(problem.to_string());
  return out;
}

std::string with(const std::string& more) {
  return kGood + more + "\n[[expect]]\nconnected = [\"a\", \"b\"]\nat = \"1s\"\n";
}

/// The good one with one text replaced.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = with("");
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Mistake {
  std::string text;
  std::string told;  // part of the only problem
};

void check_all(const std::vector<Mistake>& mistakes) {
  for (const Mistake& m : mistakes) {
    const auto problems = problems_of(m.text);
    INFO("expected: " << m.told);
    CAPTURE(problems);
    CHECK(problems.size() == 1);
    if (problems.empty()) continue;
    CHECK(problems[0].find(m.told) != std::string::npos);
    CHECK(problems[0].starts_with("dir/file.toml"));
  }
}

}  // namespace

TEST_CASE("a good scenario file has no problems, and its values are what it says") {
  const auto loaded = load("dir/good.one.toml", with(R"(
[[do]]
at = "1m"
what = "link"
from = "b"
to = "home"
set = {loss = 0.5, bursts = {enter = 0.1, leave = 0.5, loss = 0.9}, rate_mbit = 8, queue_kib = 32, mtu = 1280}
[[do]]
at = "10s"
what = "reboot"
router = "home"
for = "2s"
[[expect]]
disconnected = ["a", "b"]
by = "1m30s"
[[expect]]
disconnected = ["a", "b"]
by = "1m30s"
after = "5s"
[[expect]]
nat = {filtering = "address-dependent"}
behind = "a"
server = "server"
at = "3s"
)"));
  REQUIRE(loaded.problems.empty());
  const Scenario& s = loaded.scenario;
  CHECK(s.name == "good.one");
  CHECK(s.about == "two and a server");
  REQUIRE(s.segments.size() == 2);
  CHECK(s.segments[0].link.delay == 20ms);
  CHECK(s.segments[1].link.ideal());
  REQUIRE(s.routers.size() == 1);
  CHECK(s.routers[0].outer.addresses[0].to_string() == "11.0.1.1");
  REQUIRE(s.routers[0].options.nat);
  CHECK(s.routers[0].options.nat->filtering == net::Dependence::address_dependent);
  CHECK(s.routers[0].options.nat->timeout == 120s);
  REQUIRE(s.hosts.size() == 3);
  CHECK(s.host("b")->hidden == std::vector<std::string>{"a"});
  CHECK(s.host("server")->serves_stun);
  CHECK_FALSE(s.host("server")->peers);
  REQUIRE(s.dos.size() == 2);
  CHECK(s.dos[0].what == Act::reboot);  // by time
  CHECK(s.dos[0].lasts == 2s);
  const Do& link = s.dos[1];
  CHECK(link.both);
  CHECK(link.set.delay == 20ms);  // the segment's, since `set` does not name it
  CHECK(link.set.loss == 0.5);
  CHECK(link.set.bursts.loss == 0.9);
  CHECK(link.set.rate == 1e6);
  CHECK(link.set.queue == 32U << 10);
  CHECK(link.set.mtu == 1280);
  REQUIRE(s.expects.size() == 4);
  CHECK(s.expects[0].by == 90s);
  CHECK(s.expects[0].after == 60s);  // the last thing done before
  CHECK(s.expects[1].after == 5s);
  CHECK_FALSE(s.expects[2].mapping);
  CHECK(s.expects[2].filtering == net::Dependence::address_dependent);
  CHECK(s.expects[3].at == 1s);
}

TEST_CASE("mistakes in the topology are told") {
  check_all({
      {changed("about = \"two and a server\"\n", ""), "the file: has no about"},
      {"nonsense = 1\n" + with(""), "the file: unknown key \"nonsense\""},
      {"host = 5\nabout = \"x\"\nexpect = []\n", "the file.host: expected tables like [[host]], found"},
      {"segment = [5]\nabout = \"x\"\nexpect = []\n", "[[segment]]: expected a table, found"},
      {with("[[segment]]\nname = \"x\"\nhop = 1\n"), "[[segment]] \"x\": unknown key \"hop\" (hint: did you mean \"hops\"?)"},
      {changed("name = \"server\"", "name = \"ser ver\""), "[[host]].name: a name has 1 to 63 letters"},
      {with("[[segment]]\nname = \"net\"\n"), "the name is that of [[segment]] \"net\" already"},
      {changed("name = \"server\"", "name = \"a\""), "[[host]] \"a\": the name is that of [[host]] \"a\" already"},
      {changed("name = \"server\"", "name = \"home\""), "the name is that of [[router]] \"home\" already"},
      {changed("delay = \"20ms\"", "delay = 20"), "[[segment]] \"net\".link.delay: expected a duration"},
      {changed("delay = \"20ms\"", "delay = \"2min\""), "[[segment]] \"net\".link.delay: expected a duration like"},
      {changed("delay = \"20ms\"", "dealy = \"20ms\""), "[[segment]] \"net\".link: unknown key \"dealy\" (hint"},
      {changed("{delay = \"20ms\"}", "\"20ms\""), "[[segment]] \"net\".link: expected a table, found"},
      {changed("delay = \"20ms\"", "loss = 1.5"), "link.loss: must be from 0 to 1, not 1.5"},
      {changed("delay = \"20ms\"", "mtu = 10"), "link.mtu: must be from 68 to 65535, not 10"},
      {changed("delay = \"20ms\"", "bursts = {enter = 2}"), "link.bursts.enter: must be from 0 to 1, not 2"},
      {changed("delay = \"20ms\"", "up = \"yes\""), "link.up: expected true or false"},
      {changed("outer = {segment = \"net\"", "outer = {segment = \"nett\""),
       "[[router]] \"home\": there is no segment \"nett\" (hint: did you mean \"net\"?)"},
      {changed("outer = {segment = \"net\", addresses = [\"11.0.1.1\"]}\n", ""), "[[router]] \"home\": has no outer"},
      {changed("inner = {segment = \"lan\"", "inner = {segment = \"net\""), "outer and inner are one segment"},
      {changed("[\"11.0.1.1\"]", "[]"), "outer has no addresses"},
      {changed("[\"11.0.1.1\"]", "[\"2001:db8::1\"]"), "[[router]] \"home\": a NAT needs an IPv4 address outside"},
      {changed("[\"11.0.1.1\"]", "[\"11.0.1\"]"), "outer.addresses: expected an address of a machine, found \"11.0.1\""},
      {changed("[\"11.0.1.1\"]", "[\"11.0.1.1\", \"11.0.1.1\"]"), "outer.addresses: something is there twice"},
      {changed("\"11.0.0.1\"", "\"11.0.1.1\""), "11.0.1.1 is an address of [[router]] \"home\" already"},
      {changed("filtering = \"address-dependent\"", "filtering = \"strict\""), "nat.filtering: "},
      {changed("filtering = \"address-dependent\"", "step = 0"), "nat: step must not be 0"},
      {changed("filtering = \"address-dependent\"", "first_port = 9, last_port = 8"), "first_port is above last_port"},
      {changed("filtering = \"address-dependent\"", "timeout = \"0s\""), "nat.timeout: must be from"},
      {changed("nat = {", "firewall = {udp_ports = [0]}\nnat = {"), "firewall.udp_ports: expected a port from 1"},
      {changed("nat = {", "firewall = {udp_block = true}\nnat = {"), "firewall: unknown key \"udp_block\" (hint"},
      {changed("nat = {", "port_mapper = {lie = \"big\"}\nnat = {"), "port_mapper.lie: "},
      {changed("nat = {", "behind = [\"x/8\"]\nnat = {"), "behind: expected a prefix like"},
      {changed("attach = {segment = \"lan\", addresses = [\"192.168.1.10\"]}\n", ""),
       "[[host]] \"a\": has no attach: a host is on a segment"},
      {changed("peers = [\"b\"]", "peers = [\"c\"]"), "[[host]] \"a\": there is no host \"c\""},
      {changed("peers = [\"b\"]", "peers = [\"b\", \"a\"]"), "[[host]] \"a\": is its own peer"},
      {changed("peers = [\"b\"]", "peers = [\"server\"]"), "its peer \"server\" runs no daemon"},
      {changed("peers = [\"b\"]", "peers = \"b\""), "[[host]] \"a\".peers: expected a list of names, found"},
      {changed("hidden = [\"a\"]", "hidden = [\"server\"]"), "hides \"server\", which is none of its peers"},
      {changed("serves = \"stun\"", "serves = \"dns\""), "serves \"dns\": only \"stun\" is known"},
      {changed("serves = \"stun\"", "serves = \"stun\"\npeers = []"), "serves something, so it runs no daemon"},
      {changed(", \"11.0.0.3\"]", "]"), "needs two addresses of one family"},
      {changed("serves = \"stun\"", "start = false"), "start without peers: it runs no daemon"},
      {changed("serves = \"stun\"", "port = 9471\nserves = \"stun\""), "[[host]] \"server\": unknown key \"port\""},
  });
}

TEST_CASE("routers in a circle are told, and two in front of one segment") {
  const auto circle = problems_of(R"(about = "x"
[[segment]]
name = "s"
[[segment]]
name = "t"
[[router]]
name = "r"
outer = {segment = "s", addresses = ["10.0.0.1"]}
inner = {segment = "t", addresses = ["10.1.0.1"]}
[[router]]
name = "q"
outer = {segment = "t", addresses = ["10.1.0.2"]}
inner = {segment = "s", addresses = ["10.0.0.2"]}
[[router]]
name = "p"
outer = {segment = "s", addresses = ["10.0.0.3"]}
inner = {segment = "t", addresses = ["10.1.0.3"]}
[[expect]]
connected = ["a", "b"]
at = "1s"
)");
  const auto told = [&](std::string_view what) {
    return std::ranges::any_of(circle, [&](const std::string& p) { return p.find(what) != std::string::npos; });
  };
  CAPTURE(circle);
  CHECK(told("[[router]] \"r\": the way out of it leads in a circle"));
  CHECK(told("[[router]] \"p\": segment \"t\" has another router in front of it already"));
}

TEST_CASE("mistakes in what is done are told") {
  const auto act = [](const std::string& keys) { return with("[[do]]\n" + keys); };
  check_all({
      {act("what = \"kill\"\nhost = \"a\""), "[[do]] 0: has no at"},
      {act("at = \"1s\""), "[[do]] 0: has no what"},
      {act("at = \"1s\"\nwhat = \"explode\""), "[[do]] 0.what: "},
      {act("at = \"1s\"\nwhat = \"kill\""), "[[do]] 0 kill: has no host"},
      {act("at = \"1s\"\nwhat = \"kill\"\nhost = \"home\""), "[[do]] 0 kill: there is no host \"home\""},
      {act("at = \"1s\"\nwhat = \"kill\"\nhost = \"server\""), "host \"server\" runs no daemon"},
      {act("at = \"1s\"\nwhat = \"kill\"\nhost = \"a\"\nfor = \"1s\""), "[[do]] 0 kill: unknown key \"for\""},
      {act("at = \"1s\"\nwhat = \"freeze\"\nhost = \"a\""), "[[do]] 0 freeze: has no for"},
      {act("at = \"1s\"\nwhat = \"start\"\nhost = \"a\""), "the daemon of \"a\" runs already then"},
      {act("at = \"2s\"\nwhat = \"stop\"\nhost = \"a\"\n[[do]]\nat = \"1s\"\nwhat = \"kill\"\nhost = \"a\""),
       "[[do]] 0 stop: the daemon of \"a\" does not run then"},
      {act("at = \"1s\"\nwhat = \"reboot\"\nrouter = \"b\""), "there is no router \"b\""},
      {act("at = \"1s\"\nwhat = \"link\"\nfrom = \"b\"\nto = \"server\""), "[[do]] 0 link: has no set"},
      {act("at = \"1s\"\nwhat = \"link\"\nfrom = \"b\"\nto = \"c\"\nset = {}"), "there is no host or router \"c\""},
      {act("at = \"1s\"\nwhat = \"link\"\nfrom = \"b\"\nto = \"b\"\nset = {}"), "from and to are the same"},
      {act("at = \"1s\"\nwhat = \"link\"\nfrom = \"a\"\nto = \"b\"\nset = {}"),
       "\"a\" and \"b\" are on no segment together"},
      {act("at = \"1s\"\nwhat = \"link\"\nfrom = \"a\"\nto = \"home\"\nset = {los = 1}"),
       "[[do]] 0 link.set: unknown key \"los\" (hint: did you mean \"loss\"?)"},
      {act("at = \"1s\"\nwhat = \"addresses\"\naddresses = [\"1.2.3.4\"]"), "needs host or router, one of them"},
      {act("at = \"1s\"\nwhat = \"addresses\"\nrouter = \"home\"\naddresses = []"), "addresses is empty"},
      {act("at = \"30h\"\nwhat = \"kill\"\nhost = \"a\""), "[[do]] 0.at: must be from 0s to 1d"},
  });
}

TEST_CASE("mistakes in what is expected are told") {
  const auto expect = [](const std::string& keys) { return with("[[expect]]\n" + keys); };
  check_all({
      {kGood, "the file: has no [[expect]]: it shows nothing"},
      {expect("at = \"1s\""), "[[expect]] 0: expects one of connected, disconnected, rtt, loss, nat, not none"},
      {expect("at = \"1s\"\nrtt = \"1s\"\nloss = 0"), "nat, not several"},
      {expect("connected = [\"a\", \"b\"]"), "[[expect]] 0 connected: needs at or by, one of them"},
      {expect("connected = [\"a\", \"b\"]\nat = \"1s\"\nby = \"1s\""), "needs at or by, one of them"},
      {expect("connected = [\"a\"]\nat = \"1s\""), "connected has 1 names, not two"},
      {expect("connected = [\"a\", \"a\"]\nat = \"1s\""), "connected: something is there twice"},
      {expect("connected = [\"a\", \"B\"]\nat = \"1s\""), "there is no host \"B\" (hint: did you mean \"b\"?)"},
      {expect("connected = [\"a\", \"server\"]\nat = \"1s\""), "host \"server\" runs no daemon"},
      {expect("connected = [\"a\", \"b\"]\nby = \"1s\"\nafter = \"2s\""), "after is later than by"},
      {expect("connected = [\"a\", \"b\"]\nat = \"1s\"\nafter = \"1s\""), "unknown key \"after\""},
      {expect("rtt = \"40ms\"\nat = \"1s\""), "[[expect]] 0 rtt: has no pair"},
      {expect("rtt = \"40ms\"\npair = [\"a\", \"b\"]"), "[[expect]] 0 rtt: has no at"},
      {expect("rtt = \"40ms\"\npair = [\"a\", \"b\"]\nat = \"1s\"\nwithin = 2"), "within: must be from 0 to 1"},
      {expect("loss = \"much\"\npair = [\"a\", \"b\"]\nat = \"1s\""), "loss: expected a number"},
      {expect("loss = 0.1\npair = [\"a\", \"b\"]\nby = \"1s\"\nat = \"1s\""), "unknown key \"by\""},
      {expect("nat = {}\nbehind = \"a\"\nserver = \"server\"\nat = \"1s\""), "needs mapping, filtering or both"},
      {expect("nat = {mapping = \"none\"}\nbehind = \"a\"\nserver = \"server\"\nat = \"1s\""), ".nat.mapping: "},
      {expect("nat = \"some\"\nbehind = \"a\"\nserver = \"server\"\nat = \"1s\""), ".nat: "},
      {expect("nat = \"translated\"\nbehind = \"a\"\nserver = \"server\"\nat = \"1s\""), "says too little"},
      {expect("nat = \"none\"\nserver = \"server\"\nat = \"1s\""), "has no behind"},
      {expect("nat = \"none\"\nbehind = \"a\"\nserver = \"b\"\nat = \"1s\""), "host \"b\" serves no STUN"},
  });
}

TEST_CASE("what is no TOML is one problem at its place; every mistake of a file is told at once") {
  const auto syntax = problems_of("about = \"x\"\n[[host]\n");
  REQUIRE(syntax.size() == 1);
  CHECK(syntax[0].starts_with("dir/file.toml:2:"));
  CHECK(problems_of(std::string(2 << 20, '#')) == std::vector<std::string>{"dir/file.toml: is larger than 1 MiB"});
  const auto many = problems_of(changed("nat = {", "natt = {") + "[[do]]\nat = \"x\"\nwhat = \"kil\"\nhost = \"a\"\n");
  CAPTURE(many);
  REQUIRE(many.size() == 3);
  CHECK(many[0].starts_with("dir/file.toml:11:"));  // in the order of the file
}
