// Who carries a label, what it looks like, and where the increments of the others go.
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "base/rng.hpp"
#include "exposition_reader.hpp"
#include "observe/label_choice.hpp"
#include "observe/peer_label.hpp"
#include "observe/peer_series.hpp"
#include "observe/siphash.hpp"
#include "world.hpp"

using namespace pw;
using namespace pw::event;
using namespace pw::test;
using observe::Exposition;
using observe::LabelCandidate;
using observe::Metrics;
using observe::PeerLabel;
using observe::PeerLabels;

namespace {

Exposed scrape(Metrics& metrics, const NodeSnapshot& node) {
  return Exposed::read(render(*metrics.snapshot(node, kWall), Exposition::text), Exposition::text);
}

std::set<std::string> labels(const Exposed& e) {
  std::set<std::string> out;
  for (const auto& [name, family] : e.families)
    for (const Sample& s : family.samples)
      if (name != "peerwatch_node_info" && s.labels.contains("peer_id")) out.insert(s.labels.at("peer_id"));
  return out;
}

bool is_per_peer_counter(const std::string& series) {
  for (const char* name : {"p2p_bytes_transferred_total", "p2p_quic_", "p2p_probes_", "p2p_rtt_milliseconds_count"})
    if (series.starts_with(name) && series.find("peer_id") != series.npos)
      return !series.starts_with("p2p_quic_cwnd") && !series.starts_with("p2p_quic_bytes_in");
  return false;
}

std::string family_of(const std::string& series) { return series.substr(0, series.find('{')); }

PeerId like(const PeerId& original, std::size_t from_byte, std::uint8_t value) {
  auto key = original.key();
  key[from_byte] = value;
  return PeerId{key};
}

}  // namespace

TEST_CASE("every increment reaches exactly one series, and no series falls") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    INFO("seed " << seed);
    Rng rng{seed};
    auto o = options();
    o.max_labelled_peers = 3;
    o.retention = 30s;
    Metrics metrics{o};
    constexpr unsigned kPeers = 12;
    std::vector<PeerSnapshot> all;
    std::vector<bool> present(kPeers, false);
    std::vector<Instant> removed(kPeers);
    for (unsigned n = 0; n < kPeers; ++n) {
      all.push_back({});
      all.back().id = peer(n + 1);
      all.back().state = SessionState::connected;
    }
    std::map<std::string, double> truth, seen, last;
    std::set<std::string> labelled;
    Instant now{};
    for (int step = 0; step < 250; ++step) {
      now += rng.up_to(20s);
      for (unsigned n = 0; n < kPeers; ++n) {
        PeerSnapshot& p = all[n];
        if (rng.chance(0.02)) {
          if (present[n]) {
            p.traffic[0][0].bytes += 7;  // since it was last seen
            truth["p2p_bytes_transferred_total"] += 7;
            metrics.handle({now, PeerRemoved{p.id, p}});
            removed[n] = now;
          } else {
            metrics.handle({now, PeerAdded{p.id, DiscoveryMethod::manual}});
            p.traffic = {};  // as the core does
            p.quic_packets = {};
            p.quic_datagrams_lost = 0;
          }
          present[n] = !present[n];
        }
        if (!present[n]) continue;
        const std::uint64_t bytes = rng.below(rng.chance(0.1) ? 1'000'000 : 1000);
        Traffic& t = p.traffic[rng.below(2)][rng.below(2)];
        t.bytes += bytes;
        t.packets += 2;  // a check, and one of QUIC's
        p.quic_packets[rng.below(2)] += 1;
        p.quic_datagrams_lost += 2;
        p.loss_forward = {100, static_cast<std::uint32_t>(rng.below(100))};
        metrics.handle({now, EchoMeasured{p.id, PathKind::direct_v4, 1ms, false}});
        metrics.handle({now, ProbesAccounted{p.id, ProbeDirection::back, 3, 1, 1}});
        truth["p2p_bytes_transferred_total"] += static_cast<double>(bytes);
        truth["packets"] += 1;
        truth["p2p_quic_datagrams_lost_total"] += 2;
        truth["p2p_rtt_milliseconds_count"] += 1;
        truth["p2p_probes_expected_total"] += 3;
        truth["p2p_probes_lost_total"] += 1;
        truth["p2p_probes_suspect_total"] += 1;
      }
      std::vector<PeerSnapshot> here;
      for (unsigned n = 0; n < kPeers; ++n)
        if (present[n]) here.push_back(all[n]);
      const Exposed e = scrape(metrics, node_at(now, here));
      std::set<std::string> with_label = labels(e);
      with_label.erase("other");
      CHECK(with_label.size() <= 3);
      labelled.insert(with_label.begin(), with_label.end());
      const auto flat = e.flat();
      for (const auto& [series, value] : flat) {
        if (!is_per_peer_counter(series)) continue;
        INFO(series);
        const double before = last.contains(series) ? last[series] : 0;
        REQUIRE(value >= before);
        const std::string family = family_of(series);
        seen[family.find("packets") != family.npos ? "packets" : family] += value - before;
        last[series] = value;
      }
      // A peer that was gone for so long starts anew when it comes back.
      for (unsigned n = 0; n < kPeers; ++n)
        if (!present[n] && removed[n] + o.retention <= now)
          std::erase_if(
              last, [&](const auto& entry) { return entry.first.find(peer(n + 1).to_short()) != entry.first.npos; });
      REQUIRE(seen == truth);
    }
    CHECK(labelled.size() > 3);  // labels did change hands
    CHECK(last.contains(series_key("p2p_probes_suspect_total", {{"peer_id", "other"}})));
  }
}

TEST_CASE("a label that comes back goes on where it left") {
  auto o = options();
  o.max_labelled_peers = 1;
  Metrics metrics{o};
  auto a = connected(1, Instant{});
  auto b = connected(2, Instant{});
  a.loss_forward = b.loss_forward = {};
  a.loss_return = b.loss_return = {};
  const auto sent = [](const std::string& id) {
    return LabelMap{{"peer_id", id}, {"direction", "inbound"}, {"path", "direct_v4"}};
  };
  a.traffic = b.traffic = {};
  a.traffic[0][0].bytes = 100;
  Instant now{};
  CHECK(scrape(metrics, node_at(now, {a, b})).value("p2p_bytes_transferred_total", sent(peer(1).to_short())) == 100);
  b.always_label = true;
  (void)scrape(metrics, node_at(now += 1s, {a, b}));
  a.traffic[0][0].bytes = 170;
  b.traffic[0][0].bytes = 5;
  const Exposed away = scrape(metrics, node_at(now += 1s, {a, b}));
  CHECK(!away.has("p2p_bytes_transferred_total", sent(peer(1).to_short())));
  CHECK(away.value("p2p_bytes_transferred_total", sent("other")) == 70);
  CHECK(away.value("p2p_bytes_transferred_total", sent(peer(2).to_short())) == 5);
  CHECK(!away.has("p2p_peer_connected", {{"peer_id", "other"}}));
  b.always_label = false;
  a.always_label = true;
  (void)scrape(metrics, node_at(now += 1s, {a, b}));
  a.traffic[0][0].bytes = 171;
  const Exposed back = scrape(metrics, node_at(now += 1s, {a, b}));
  CHECK(back.value("p2p_bytes_transferred_total", sent(peer(1).to_short())) == 101);
  CHECK(back.value("p2p_bytes_transferred_total", sent("other")) == 70);
}

TEST_CASE("the series of a peer that is gone leave after the retention, not before") {
  auto o = options();
  o.retention = 10min;
  Metrics metrics{o};
  const std::string one = peer(1).to_short();
  metrics.handle({Instant{}, PeerAdded{peer(1), DiscoveryMethod::manual}});
  (void)scrape(metrics, node_at(Instant{1s}, {connected(1, Instant{1s}), connected(2, Instant{1s})}));
  metrics.handle({Instant{2s}, PeerRemoved{peer(1)}});
  const Exposed kept = scrape(metrics, node_at(Instant{2s} + 10min - 1ns, {connected(2, Instant{1s})}));
  CHECK(kept.has("p2p_quic_packets_sent_total", {{"peer_id", one}}));
  CHECK(!kept.has("p2p_peer_connected", {{"peer_id", one}}));
  CHECK(kept.value("peerwatch_series_evicted_total") == 0);
  CHECK(kept.value("peerwatch_series") == static_cast<double>(kept.series()));
  std::size_t left = 0;
  for (const auto& [series, value] : kept.flat())
    if (series.find("peer_id=" + one) != series.npos) ++left;
  (void)scrape(metrics, node_at(Instant{2s} + 10min, {connected(2, Instant{1s})}));
  const Exposed gone = scrape(metrics, node_at(Instant{3s} + 10min, {connected(2, Instant{1s})}));
  CHECK(!labels(gone).contains(one));
  CHECK(labels(gone).contains(peer(2).to_short()));
  CHECK(gone.value("peerwatch_series_evicted_total") == static_cast<double>(left));
}

TEST_CASE("a peer that stays away for ever keeps its series") {
  Metrics metrics{options()};
  PeerSnapshot down;
  down.id = peer(1);
  down.state = SessionState::failed;
  for (int day = 0; day < 3; ++day)
    CHECK(scrape(metrics, node_at(Instant{day * 24h}, {down}))
              .value("p2p_peer_connected", {{"peer_id", peer(1).to_short()}}) == 0);
}

TEST_CASE("max_series bounds what is written") {
  auto o = options();
  o.max_labelled_peers = 1000;
  o.max_series = 2000;
  Metrics metrics{o};
  std::vector<PeerSnapshot> peers;
  for (unsigned n = 1; n <= 200; ++n) peers.push_back(connected(n, Instant{1s}));
  (void)scrape(metrics, node_at(Instant{1s}, peers));
  const Exposed e = scrape(metrics, node_at(Instant{2s}, peers));
  CHECK(e.series() <= 2000);
  CHECK(labels(e).size() > 10);
  CHECK(labels(e).contains("other"));
}

TEST_CASE("of each kind of path the best that is proved is told, by the size that passes it") {
  Metrics metrics{options()};
  auto p = connected(1, Instant{1s});
  const auto add = [&p](PathKind kind, PathSize size, PathHealth health = PathHealth::proved) {
    p.paths.push_back({});
    p.paths.back().kind = kind;
    p.paths.back().size = size;
    p.paths.back().health = health;
  };
  add(PathKind::direct_v4, PathSize::small);
  add(PathKind::direct_v4, PathSize::full, PathHealth::dead);
  add(PathKind::direct_v6, PathSize::unknown, PathHealth::suspect);
  add(PathKind::relay_quic, PathSize::small);
  add(PathKind::relay_quic, PathSize::full);
  add(PathKind::relay_websocket, PathSize::full, PathHealth::dead);
  const Exposed e = scrape(metrics, node_at(Instant{1s}, {p}));
  const auto usable = [](const char* path, const char* size) {
    return std::map<std::string, std::string>{{"peer_id", peer(1).to_short()}, {"path", path}, {"size", size}};
  };
  CHECK(e.value("p2p_path_usable", usable("direct_v4", "small")) == 1);
  CHECK(e.value("p2p_path_usable", usable("direct_v4", "full")) == 0);
  CHECK(e.value("p2p_path_usable", usable("direct_v6", "small")) == 1);
  CHECK(!e.has("p2p_path_usable", usable("direct_v6", "full")));
  CHECK(e.value("p2p_path_usable", usable("relay_quic", "full")) == 1);
  CHECK(!e.has("p2p_path_usable", usable("relay_websocket", "small")));
}

TEST_CASE("no peer is written as more series than it is reckoned at") {
  Metrics metrics{options()};
  auto p = connected(1, Instant{1s});
  for (std::uint8_t kind = 0; kind < 4; ++kind) {
    p.paths.push_back({});
    p.paths.back().kind = PathKind{kind};
    p.paths.back().size = PathSize::full;
  }
  for (std::size_t path = 0; path < 4; ++path) p.traffic[path] = {Traffic{1, 1}, Traffic{1, 1}};
  const Exposed e = scrape(metrics, node_at(Instant{1s}, {p}));
  std::size_t n = 0;
  for (const auto& [series, value] : e.flat())
    if (series.find("peer_id=" + peer(1).to_short()) != series.npos) ++n;
  CHECK(n == observe::kMaxSeriesPerPeer);
}

TEST_CASE("visitors without end don't fill the table") {
  auto o = options();
  o.max_labelled_peers = 5000;
  o.max_series = 1'000'000;
  Metrics metrics{o};
  Instant now{};
  for (unsigned n = 1; n <= 3000; ++n) {
    metrics.handle({now, PeerAdded{peer(n), DiscoveryMethod::inbound}});
    if (n % 100 == 0) (void)metrics.snapshot(node_at(now, {}), kWall);
    now += 10ms;
  }
  (void)scrape(metrics, node_at(now, {}));
  CHECK(labels(scrape(metrics, node_at(now, {}))).size() == 1000);
}

TEST_CASE("privacy: full, short, hashed and none") {
  const auto labels_with = [](PeerLabel mode, Buffer key = {}) {
    auto o = options();
    o.peer_label = mode;
    o.label_key = std::move(key);
    Metrics metrics{o};
    return labels(scrape(metrics, node_at(Instant{1s}, {connected(1, Instant{1s})})));
  };
  CHECK(labels_with(PeerLabel::full) == std::set{peer(1).to_string()});
  CHECK(labels_with(PeerLabel::short_) == std::set{peer(1).to_string().substr(0, 10)});
  const auto hashed = labels_with(PeerLabel::hashed, {1, 2, 3});
  REQUIRE(hashed.size() == 1);
  CHECK(hashed.begin()->size() == 16);
  CHECK(hashed == labels_with(PeerLabel::hashed, {1, 2, 3}));
  CHECK(hashed != labels_with(PeerLabel::hashed, {1, 2, 4}));
  CHECK(!peer(1).to_string().starts_with(*hashed.begin()));

  auto o = options();
  o.peer_label = PeerLabel::none;
  Metrics metrics{o};
  const Exposed e = scrape(metrics, node_at(Instant{1s}, {connected(1, Instant{1s})}));
  CHECK(labels(e).empty());
  CHECK(!e.families.contains("p2p_peer_info"));
  CHECK(e.value("p2p_peers", {{"state", "connected"}}) == 1);
  CHECK(e.value("peerwatch_node_info", {{"name", "node-a"}, {"mesh", "default"}}) == 1);
}

TEST_CASE("a reload changes labels, limits and the node's name") {
  auto o = options();
  Metrics metrics{o};
  (void)scrape(metrics, node_at(Instant{1s}, {connected(1, Instant{1s}), connected(2, Instant{1s})}));
  o.peer_label = PeerLabel::full;
  o.node_name = "renamed";
  o.version = "ignored";
  metrics.configure(o);
  const Exposed full = scrape(metrics, node_at(Instant{2s}, {connected(1, Instant{1s}), connected(2, Instant{1s})}));
  CHECK(labels(full) == std::set{peer(1).to_string(), peer(2).to_string()});
  CHECK(full.families.at("peerwatch_node_info").samples.size() == 1);
  CHECK(full.value("peerwatch_build_info", {{"version", "0.1.0"}}) == 1);
  o.max_labelled_peers = 1;
  metrics.configure(o);
  (void)scrape(metrics, node_at(Instant{3s}, {connected(1, Instant{1s}), connected(2, Instant{1s})}));
  CHECK(labels(scrape(metrics, node_at(Instant{4s}, {connected(1, Instant{1s}), connected(2, Instant{1s})}))).size() ==
        2);
}

TEST_CASE("a short id that is taken already is lengthened for the newcomer") {
  PeerLabels labels{PeerLabel::short_, {}};
  const PeerId a = peer(1);
  const PeerId b = like(a, 7, static_cast<std::uint8_t>(a.key()[7] ^ 0x01));  // the 13th character differs
  const PeerId c = like(a, 31, static_cast<std::uint8_t>(a.key()[31] ^ 0xff));
  CHECK(labels.take(a) == a.to_string().substr(0, 10));
  CHECK(labels.take(b) == b.to_string().substr(0, 11));
  CHECK(labels.take(c) == c.to_string().substr(0, 12));
  labels.release(a.to_string().substr(0, 10));
  CHECK(labels.take(c) == a.to_string().substr(0, 10));
}

TEST_CASE("a name from the configuration is escaped in its label") {
  Metrics metrics{options()};
  auto p = connected(1, Instant{1s});
  p.name = "a\"b\\c\nd\xff{}=,é";
  const Exposed e = scrape(metrics, node_at(Instant{1s}, {p}));
  CHECK(e.families.at("p2p_peer_info").samples.at(0).labels.at("name") == "a\"b\\c\nd\xEF\xBF\xBD{}=,é");
}

TEST_CASE("labels go to always_label, then to the worst and to the largest, and stay where they are among equals") {
  using observe::choose_labels;
  std::vector<LabelCandidate> c(6);
  CHECK(choose_labels(c, 2) == std::vector{true, true, false, false, false, false});
  c[4].labelled = c[5].labelled = true;
  CHECK(choose_labels(c, 2) == std::vector{false, false, false, false, true, true});
  c[3].always = true;
  CHECK(choose_labels(c, 2) == std::vector{false, false, false, true, true, false});
  c[3].always = false;
  c[0].badness = 0.2;
  c[1].traffic = 1000;
  CHECK(choose_labels(c, 2) == std::vector{true, true, false, false, false, false});
  c[4].badness = 0.15;  // labelled: counts as 0.225
  c[5].traffic = 700;
  CHECK(choose_labels(c, 2) == std::vector{false, false, false, false, true, true});
  CHECK(choose_labels(c, 0) == std::vector<bool>(6));
  CHECK(choose_labels(c, 100) == std::vector<bool>(6, true));
  CHECK(choose_labels({}, 3).empty());
}

TEST_CASE("siphash gives the reference vectors") {
  // From the authors' vectors: key 00 01 … 0f, message 00 01 … of n bytes.
  const observe::SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  Buffer message;
  CHECK(observe::siphash(key, message) == 0x726fdb47dd0e0e31);
  for (std::uint8_t i = 0; i < 15; ++i) message.push_back(i);
  CHECK(observe::siphash(key, message) == 0xa129ca6149be45e5);
  CHECK(observe::siphash(key, ByteView{message}.first(8)) == 0x93f5f5799a932462);
}
