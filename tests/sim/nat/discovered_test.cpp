// In a mesh with a secret, daemons that know a bootstrap and nobody else find one another by it.
#include <catch2/catch_test_macros.hpp>

#include "sim/checks.hpp"

using namespace pw;
using namespace pw::sim;
using event::DiscoveryMethod;

namespace {

struct Mesh {
  explicit Mesh(std::uint64_t seed, std::size_t nodes = 4) : w{seed}, server{w.add("server")} {
    server.options.services.peer = false;
    server.options.services.server.bootstrap = true;
    server.options.services.server.relay = true;
    join(server);
    for (std::size_t i = 0; i < nodes; ++i) {
      Host& node = w.add("node " + std::to_string(i));
      join(node);
      node.membership.servers = {server.server_spec(true, true)};
      all.push_back(&node);
    }
  }
  void join(Host& host) {
    host.membership.admission = peer::AdmissionMode::secret;
    host.membership.secrets = {Buffer(32, 7)};
    host.options.peer.retention = 5min;
  }
  bool up() const {
    for (const Host* a : all)
      for (const Host* b : all)
        if (a != b && a->running() && b->running() && !a->connected(*b)) return false;
    return true;
  }
  World w;
  Host& server;
  std::vector<Host*> all;
};

}  // namespace

TEST_CASE("all of a mesh with a secret meet, and say how they know each other") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed};
    m.w.start_all();
    if (!m.w.run_until([&] { return m.up(); }, 30s)) return "not all have met";
    m.w.run_for(10s);
    for (const Host* node : m.all) {
      const auto peers = node->snapshot().peers;
      if (peers.size() != m.all.size() - 1) return "it knows others, too";
      for (const auto& p : peers)  // one of two has told the other first
        if (p.method != DiscoveryMethod::bootstrap && p.method != DiscoveryMethod::inbound) return "known by something else";
    }
    return broken_rule(m.w);
  });
}

TEST_CASE("who comes later is found, and who is gone is forgotten after a while") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 3};
    m.server.start();
    m.all[0]->start();
    m.all[1]->start();
    m.w.run_for(60s);
    m.all[2]->start();
    if (!m.w.run_until([&] { return m.up(); }, 30s)) return "the late one was not found";
    m.all[2]->kill();
    m.w.run_for(20min);
    if (m.all[0]->snapshot().peers.size() != 1) return "who is gone is still known";
    if (!m.all[0]->connected(*m.all[1])) return "another session was lost";
    return broken_rule(m.w);
  });
}

TEST_CASE("no more become known than there may be sessions, and nobody in a mesh of listed peers") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    Mesh m{seed, 4};
    m.all[0]->membership.max_sessions = 2;
    m.w.start_all();
    m.w.run_for(30s);
    std::size_t connected = 0;
    for (const Host* other : m.all) connected += other != m.all[0] && m.all[0]->connected(*other) ? 1 : 0;
    if (connected > 2) return "more sessions than there may be";
    if (connected == 0) return "no session at all";
    for (Host* node : m.all) {
      node->membership.admission = peer::AdmissionMode::allowlist;
      node->configure();
    }
    m.w.run_for(5min);
    for (const Host* node : m.all)
      if (!node->snapshot().peers.empty()) return "it knows peers that nobody has listed";
    return broken_rule(m.w);
  });
}
