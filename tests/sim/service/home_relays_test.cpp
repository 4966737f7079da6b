#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "sim/service/service_host.hpp"

namespace pw::sim {
namespace {

using wire::service::Services;

constexpr Services kBoth = Services::bootstrap | Services::relay;

/// Three relays, the further the greater their number, and a node that uses them all.
struct Scene : ServiceWorld {
  Scene() : ServiceWorld{1, {.delay = 5ms}} {
    service::ServerOptions options;
    options.bootstrap = options.relay = true;
    for (std::uint8_t i = 0; i < 3; ++i) {
      net::Machine& machine = net.add_machine("relay" + std::to_string(i));
      plugs.push_back(&machine.attach(*segment, {IpAddress::v4({192, 0, 2, static_cast<std::uint8_t>(i + 1)})},
                                      {.delay = (i + 1) * 10ms}));
      relays.push_back(hosts.emplace_back(std::make_unique<ServiceHost>(machine, static_cast<std::uint8_t>(i + 1))).get());
      relays.back()->start(options);
    }
    node = &add(9);
    node->start();
    node->start_set({relays[2], relays[0], relays[1]}, kBoth);
  }
  std::vector<PeerId> homes() const {
    std::vector<PeerId> ids = node->set->home_relays();
    std::ranges::sort(ids);
    return ids;
  }
  std::vector<PeerId> ids(std::vector<std::size_t> which) const {
    std::vector<PeerId> out;
    for (const std::size_t i : which) out.push_back(relays[i]->id());
    std::ranges::sort(out);
    return out;
  }
  std::vector<ServiceHost*> relays;
  std::vector<net::Interface*> plugs;
  ServiceHost* node;
};

}  // namespace

TEST_CASE("the two quickest relays are home, and every bootstrap's record says so") {
  Scene s;
  s.run(5s);
  CHECK(s.homes() == s.ids({0, 1}));
  const auto ranked = s.node->set->ranked(Services::relay);
  REQUIRE(ranked.size() == 3);
  CHECK(ranked[0]->server().id == s.relays[0]->id());
  CHECK(ranked[2]->server().id == s.relays[2]->id());
  ServiceHost& other = s.add(8);
  other.start();
  for (const ServiceHost* relay : s.relays) other.add_client(*relay, kBoth);
  s.run(1s);
  for (const auto& client : other.clients) {
    REQUIRE(other.act([&](Instant now) { return client->look_up(now, s.node->id()); }));
    s.run(500ms);
    const auto found = other.told<service::LookupDone>().back();
    REQUIRE(found.found.size() == 1);
    CHECK(found.found[0].record.relays == s.ids({0, 1}));
  }
}

TEST_CASE("a home relay that is gone is replaced, and does not push out its successor when it is back") {
  Scene s;
  s.run(5s);
  // It goes in order, so that nobody has to wait for silence.
  s.relays[1]->act([&](Instant now) { s.relays[1]->server->shutdown(now); });
  s.relays[1]->kill();
  s.run(4s);
  CHECK(s.homes() == s.ids({0, 2}));
  service::ServerOptions options;
  options.bootstrap = options.relay = true;
  s.relays[1]->start(options);
  s.run(30s);
  REQUIRE(s.node->set->ranked(Services::relay).size() == 3);
}

TEST_CASE("a look-up goes to the quickest, and a node forgets servers that are configured no more") {
  Scene s;
  s.run(5s);
  REQUIRE(s.node->act([&](Instant now) { return s.node->set->look_up(now, std::nullopt); }));
  s.run(1s);
  CHECK(s.node->told<service::LookupDone>().at(0).server == s.relays[0]->id());
  s.node->act([&](Instant now) { s.node->set->configure(now, {{s.relays[2]->id(), kBoth}}, {}); });
  s.run(3s);
  CHECK(s.homes() == s.ids({2}));
  CHECK(s.node->told<service::ServiceDown>().size() == 2);
  CHECK(s.relays[0]->server->stats().all_clients() == 0);
}

}  // namespace pw::sim
