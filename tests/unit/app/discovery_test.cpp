// Peers by a file and by DNS: what is taken, what a bad source takes away (nothing), and what DNS may do.
#include "app/discovery.hpp"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "unit/app/scratch.hpp"

namespace pw::app {
namespace {

using event::DiscoveryMethod;

constexpr Instant kStart{1h};

PeerId peer(std::uint8_t n) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  key.fill(n);
  return PeerId{key};
}
std::string block(std::uint8_t n, const std::string& more = "") { return "[[peer]]\nid = \"" + peer(n).to_string() + "\"\n" + more; }

struct Fixture {
  Scratch scratch;
  std::vector<event::DiscoveryFailed> told;
  std::vector<Result<io::FoundPeers>> dns;
  std::atomic<int> asked = 0;
  Instant now = kStart;
  Discovery discovery{[this](event::Event e) { told.push_back(std::get<event::DiscoveryFailed>(e)); },
                      [this](const std::string&) { return dns.at(std::min<std::size_t>(static_cast<std::size_t>(asked++), dns.size() - 1)); }};
  peer::Membership members;

  /// What comes of it, of a configuration with `members`.
  peer::Membership all() const {
    peer::Membership m = members;
    discovery.add_to(m);
    return m;
  }
  bool tick(Duration later = {}) {
    now += later;
    return discovery.tick(now);
  }
  /// Ticks until the thread that asks DNS is done.
  bool tick_until_answered(Duration later = {}) {
    bool changed = tick(later);
    for (int i = 0; i < 10'000 && discovery.asking(); ++i) {
      std::this_thread::sleep_for(1ms);
      changed = tick() || changed;
    }
    CHECK_FALSE(discovery.asking());
    return changed;
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "peers come and go with a file that is rewritten or replaced") {
  const std::string path = scratch.file("peers.toml", block(1, "name = \"b\"\n"));
  discovery.configure(now, {path, ""});
  CHECK(tick());
  REQUIRE(all().peers.size() == 1);
  CHECK(all().peers[0].name == "b");
  CHECK(all().discovered.at(peer(1)) == DiscoveryMethod::file);
  CHECK_FALSE(tick());
  scratch.file("peers.toml", block(1) + block(2));
  CHECK(tick());
  CHECK(all().peers.size() == 2);
  std::filesystem::rename(scratch.file("new", block(3)), path);
  CHECK(tick());
  CHECK(all().discovered.contains(peer(3)));
  CHECK(all().peers.size() == 1);
  scratch.file("other.toml", block(4));
  CHECK_FALSE(tick());
  discovery.configure(now, {});
  CHECK(tick());
  CHECK(all().peers.empty());
  CHECK(discovery.fd() == -1);
  CHECK(told.empty());
}

TEST_CASE_METHOD(Fixture, "a bad file is told of once, and the old list stays until it is good again") {
  const std::string path = scratch.file("peers.toml", block(1));
  discovery.configure(now, {path, ""});
  tick();
  scratch.file("peers.toml", "[[peer]]\nid = \"x\"\n");
  CHECK_FALSE(tick());
  scratch.file("peers.toml", "[[peer]]\nid = \"x\"\n");
  CHECK_FALSE(tick());
  REQUIRE(told.size() == 1);
  CHECK(told[0].method == DiscoveryMethod::file);
  CHECK(told[0].host == path);
  CHECK(told[0].detail.find(":2:6: peer.id") != std::string::npos);
  CHECK(all().peers.size() == 1);
  std::filesystem::remove(path);
  CHECK_FALSE(tick());
  CHECK(told.size() == 2);
  CHECK(all().peers.size() == 1);
  scratch.file("peers.toml", block(2));
  CHECK(tick());
  CHECK(all().discovered.contains(peer(2)));
  scratch.file("peers.toml", "[[peer]]\nid = \"x\"\n");
  CHECK_FALSE(tick());
  CHECK(told.size() == 3);  // it was good in between
}

TEST_CASE_METHOD(Fixture, "a directory that comes later is found") {
  const std::string path = scratch.path + "/later/peers.toml";
  discovery.configure(now, {path, ""});
  CHECK(told.size() == 1);
  CHECK_FALSE(tick(Discovery::kWatchAgain));
  std::filesystem::create_directory(scratch.path + "/later");
  scratch.file("later/peers.toml", block(1));
  CHECK_FALSE(tick());
  CHECK(tick(Discovery::kWatchAgain));
  CHECK(all().peers.size() == 1);
  CHECK(told.size() == 1);
  scratch.file("later/peers.toml", "");
  CHECK(tick());
}

TEST_CASE_METHOD(Fixture, "configuration goes before file, file before DNS") {
  members.admission = peer::AdmissionMode::secret;
  members.peers = {{peer(1), "static", false, {}}};
  dns = {io::FoundPeers{{{peer(1), {{"c.example", 1}}}, {peer(2), {{"d.example", 1}}}, {peer(3), {{"e.example", 1}}}}, {}, true, 1min}};
  discovery.configure(now, {scratch.file("peers.toml", block(1, "name = \"f\"\n") + block(2, "name = \"g\"\naddresses = [\"x:1\"]\n")), "p.example"});
  CHECK(tick_until_answered());
  const auto m = all();
  REQUIRE(m.peers.size() == 3);
  CHECK(m.peers[0].name == "static");
  CHECK_FALSE(m.discovered.contains(peer(1)));
  CHECK(m.discovered.at(peer(2)) == DiscoveryMethod::file);
  CHECK(m.peers[1].addresses == std::vector<HostPort>{{"x", 1}});
  CHECK(m.discovered.at(peer(3)) == DiscoveryMethod::dns);
}

TEST_CASE_METHOD(Fixture, "DNS makes nobody a peer where the list decides, but says where listed ones are") {
  members.peers = {{peer(1), "listed", false, {}}, {peer(2), "placed", false, {{"here", 1}}}};
  dns = {io::FoundPeers{{{peer(1), {{"c.example", 1}}}, {peer(2), {{"d.example", 1}}}, {peer(9), {{"evil.example", 1}}}}, {}, true, 1min}};
  discovery.configure(now, {"", "p.example"});
  CHECK(tick_until_answered());
  const auto m = all();
  REQUIRE(m.peers.size() == 2);
  CHECK(m.peers[0].addresses == std::vector<HostPort>{{"c.example", 1}});
  CHECK(m.peers[1].addresses == std::vector<HostPort>{{"here", 1}});
  CHECK(m.discovered.empty());
}

TEST_CASE_METHOD(Fixture, "DNS is asked again as its time to live says, within bounds, and ever more rarely where it fails") {
  members.admission = peer::AdmissionMode::secret;
  const auto of = [](std::vector<io::FoundPeer> peers, Duration ttl, bool complete = true) {
    return io::FoundPeers{std::move(peers), complete ? std::vector<std::string>{} : std::vector<std::string>{"h: no"}, complete, ttl};
  };
  dns = {of({{peer(1), {{"a", 1}}}}, 0s), of({{peer(2), {{"a", 1}}}}, 24h), fail("no name server"), fail("no name server"),
         of({{peer(3), {{"a", 1}}}}, 1min, false)};
  discovery.configure(now, {"", "p.example"});
  CHECK(tick_until_answered());
  CHECK(all().peers.size() == 1);
  tick(Discovery::kShortest - 1s);
  CHECK(asked == 1);
  CHECK(tick_until_answered(1s));
  CHECK(all().discovered.contains(peer(2)));
  CHECK_FALSE(all().discovered.contains(peer(1)));  // it says no more
  tick(Discovery::kLongest - 1s);
  CHECK(asked == 2);
  CHECK_FALSE(tick_until_answered(1s));
  CHECK(told.size() == 1);
  CHECK(all().discovered.contains(peer(2)));
  CHECK_FALSE(tick_until_answered(Discovery::kShortest));
  CHECK(told.size() == 1);  // the same again
  tick(2 * Discovery::kShortest - 1s);
  CHECK(asked == 4);
  CHECK(tick_until_answered(1s));
  CHECK(told.size() == 2);
  CHECK(all().peers.size() == 2);  // about the other one nobody answered
}

}  // namespace pw::app
