// A bootstrap sends a packet to where a client says that a port is mapped for it: to the client's own address only, and
// seldom, so that nobody is made a victim.
#include <catch2/catch_test_macros.hpp>

#include "sim/service/service_host.hpp"

using namespace pw;
using namespace pw::sim;
using wire::service::Refusal;
using wire::service::Services;

namespace {

struct Scene {
  ServiceWorld w{1};
  ServiceHost& server = w.add(1);
  ServiceHost& asking = w.add(2);
  service::Client* client = nullptr;
  explicit Scene(Services services = Services::bootstrap, const service::ServerOptions& options = {.bootstrap = true}) {
    server.start(options);
    asking.start();
    client = &asking.add_client(server, services);
    w.run(1s);
    REQUIRE(client->ready());
    server.server->offer_knocks(true);
  }
  /// What the server says to it, none: nothing was refused.
  std::optional<Refusal> ask(const SocketAddress& to) {
    ++number;
    asking.act([&](Instant) { REQUIRE(client->check_mapping(number, to, {1, 2, 3})); });
    w.run(100ms);
    const auto answers = asking.told<service::MappingAnswered>();
    REQUIRE(answers.size() == number);
    CHECK(answers.back().number == number);
    return answers.back().refusal;
  }
  std::vector<service::Knock> knocks() {
    std::vector<service::Knock> out;
    while (const auto knock = server.server->poll_knock()) out.push_back(*knock);
    return out;
  }
  SocketAddress own(std::uint16_t port) const { return {asking.address().ip, port}; }
  std::uint32_t number = 0;
};

}  // namespace

TEST_CASE("a client's mapped port is knocked at with the client's own bytes") {
  Scene s;
  CHECK_FALSE(s.ask(s.own(40000)));
  const auto knocks = s.knocks();
  REQUIRE(knocks.size() == 1);
  CHECK(knocks[0].to == s.own(40000));
  CHECK(knocks[0].transaction == wire::stun::TransactionId{1, 2, 3});
  CHECK(s.server.server->stats().of(event::ServiceRequest::observe).success >= 1);
}

TEST_CASE("nobody else's address is knocked at, whatever a client says") {
  Scene s;
  CHECK(s.ask({s.server.address().ip, 9470}) == Refusal::not_observed);
  CHECK(s.ask({IpAddress::v4({192, 0, 2, 77}), 53}) == Refusal::not_observed);
  CHECK(s.ask({IpAddress::v6({0x20, 1}), 9470}) == Refusal::not_observed);
  CHECK(s.ask(s.own(0)) == Refusal::not_observed);
  CHECK(s.knocks().empty());
  CHECK(s.server.server->stats().of(event::ServiceRequest::observe).refused == 4);
}

TEST_CASE("a client that asks without end gets a packet every two seconds, and all clients together a second's worth") {
  Scene s;
  const service::ServerOptions defaults;
  unsigned refused = 0;
  for (int i = 0; i < 600; ++i) refused += s.ask(s.own(40000)) == Refusal::rate ? 1 : 0;  // a minute
  const auto sent = s.knocks().size();
  CHECK(sent <= static_cast<std::size_t>(defaults.check_burst + 60 * defaults.checks_per_second) + 1);
  CHECK(sent >= static_cast<std::size_t>(defaults.checks_per_second * 60));
  CHECK(refused == 600 - sent);

  Scene few{Services::bootstrap, {.bootstrap = true, .total_checks_per_second = 2}};
  for (int i = 0; i < 7; ++i) static_cast<void>(few.ask(few.own(40000)));
  CHECK(few.knocks().size() == 3);  // two at once, one in the half second after
}

TEST_CASE("who is no bootstrap, or can't send from elsewhere, says so") {
  Scene s;
  s.server.server->offer_knocks(false);
  CHECK(s.ask(s.own(40000)) == Refusal::not_offered);
  CHECK(s.knocks().empty());
  ServiceWorld w{2};
  ServiceHost& relay = w.add(1);
  ServiceHost& asking = w.add(2);
  relay.start({.relay = true});
  asking.start();
  auto& client = asking.add_client(relay, Services::relay);
  w.run(1s);
  REQUIRE(client.ready());
  CHECK_FALSE(client.check_mapping(1, asking.address(), {}));
}
