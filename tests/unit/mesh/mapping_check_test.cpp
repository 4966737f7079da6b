// Whether a mapped port is reached from outside: what proves it, what refutes it, and what tells nothing.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "mesh/mapping_check.hpp"

using namespace pw;
using namespace pw::mesh;
using Doubt = MappingCheck::Doubt;
using event::NatFiltering;

namespace {

constexpr Instant kStart{1h};

SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }
PeerId server(std::uint8_t n) { return PeerId{{n}}; }

struct Fixture {
  Instant now = kStart;
  MappingCheck check{Rng{7}};
  MappingCheck::View view{at("11.0.0.1:9470"), {{server(1), at("11.0.0.1:40000"), true}}, at("11.0.0.1:40000"), NatFiltering::unknown};
  void update() { check.update(now, view); }
  /// What is asked next, if it is so at once.
  std::optional<MappingCheck::Ask> asked() {
    update();
    return check.poll_ask();
  }
  void sent(const MappingCheck::Ask& ask) { check.handle_answer(now, ask.server, ask.number, true); }
  bool arrives(const MappingCheck::Ask& ask, Via via = Via::own, wire::stun::Class kind = wire::stun::Class::indication) {
    wire::stun::Message message;
    message.kind = kind;
    message.transaction = ask.transaction;
    return check.handle_stun({{}, at("12.0.0.1:50000"), via}, message);
  }
  void pass(Duration d) {
    now += d;
    check.handle_timeout(now);
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a packet that arrives proves the mapping, even before the bootstrap's word, or late") {
  for (const bool early : {true, false}) {
    Fixture f;
    const auto ask = f.asked().value();
    CHECK(ask.server == server(1));
    CHECK(ask.address == at("11.0.0.1:9470"));
    if (!early) {
      f.sent(ask);
      f.pass(MappingCheck::kUnderWay);
      REQUIRE(f.check.poll_ask());
    }
    CHECK(f.arrives(ask));
    const auto verdict = f.check.poll_verdict().value();
    CHECK((verdict.reached && verdict.address == at("11.0.0.1:9470")));
    CHECK(f.arrives(ask));  // a second one says nothing new
    CHECK_FALSE(f.check.poll_verdict());
    CHECK(f.check.poll_timeout() == kNever);
  }
}

TEST_CASE_METHOD(Fixture, "what nobody asked for, came by another socket, or is no indication proves nothing") {
  auto ask = asked().value();
  CHECK_FALSE(arrives(ask, Via{5}));
  CHECK_FALSE(arrives(ask, Via::own, wire::stun::Class::request));
  ask.transaction[11] ^= 1;
  CHECK_FALSE(arrives(ask));
  CHECK_FALSE(check.poll_verdict());
}

TEST_CASE_METHOD(Fixture, "packets that were sent and never arrived refute it; each has bytes of its own") {
  std::vector<wire::stun::TransactionId> seen;
  auto ask = asked();
  for (unsigned i = 0; i < MappingCheck::kAttempts; ++i) {
    REQUIRE(ask);
    CHECK(std::ranges::find(seen, ask->transaction) == seen.end());
    seen.push_back(ask->transaction);
    sent(*ask);
    CHECK_FALSE(check.poll_verdict());
    pass(MappingCheck::kUnderWay);
    ask = check.poll_ask();
  }
  CHECK_FALSE(ask);
  CHECK_FALSE(check.poll_verdict().value().reached);
  // The next mapping is judged anew, also one at the same address, which was gone in between.
  view.unverified.reset();
  CHECK_FALSE(asked());
  view.unverified = at("11.0.0.1:9470");
  REQUIRE(asked());
}

TEST_CASE_METHOD(Fixture, "a bootstrap that refuses or says nothing decides nothing, and is asked again after a while") {
  for (const bool refuses : {true, false}) {
    Fixture f;
    for (unsigned i = 0; i < 2 * MappingCheck::kAttempts; ++i) {
      const auto ask = f.asked();
      REQUIRE(ask);
      if (refuses) {
        f.check.handle_answer(f.now, ask->server, ask->number + 1, false);  // of another question
        CHECK(f.check.doubt() != Doubt::no_answer);
        f.check.handle_answer(f.now, ask->server, ask->number, false);
      } else {
        f.pass(MappingCheck::kPatience);
      }
      CHECK(f.check.doubt() == Doubt::no_answer);
      CHECK_FALSE(f.asked());
      f.now += MappingCheck::kAgain;
      f.check.handle_timeout(f.now);
    }
    CHECK_FALSE(f.check.poll_verdict());
  }
}

TEST_CASE_METHOD(Fixture, "several bootstraps are asked by turns") {
  view.sightings.push_back({server(2), at("11.0.0.1:40000"), true});
  const auto first = asked().value();
  sent(first);
  pass(MappingCheck::kUnderWay);
  CHECK(check.poll_ask().value().server != first.server);
}

TEST_CASE_METHOD(Fixture, "nobody is asked where the answer could not tell, until that changes") {
  view.sightings[0].checks_mappings = false;  // a relay
  CHECK_FALSE(asked());
  CHECK(check.doubt() == Doubt::no_bootstrap);

  view.sightings = {{server(1), at("100.64.0.9:40000"), true}, {server(2), at("[2001:db8::1]:9470"), true}};
  CHECK_FALSE(asked());
  CHECK(check.doubt() == Doubt::other_address);

  // The NAT gives the node's own packets the same port.
  view.sightings[0].address = at("11.0.0.1:9470");
  for (const NatFiltering open : {NatFiltering::unknown, NatFiltering::address_dependent}) {
    view.filtering = open;
    CHECK_FALSE(asked());
    CHECK(check.doubt() == Doubt::own_port);
  }
  view.sightings[0].address = at("11.0.0.1:40000");
  view.mapped = at("11.0.0.1:9470");
  CHECK_FALSE(asked());
  for (const NatFiltering tells : {NatFiltering::address_and_port_dependent, NatFiltering::endpoint_independent}) {
    Fixture f;
    f.view = view;
    f.view.filtering = tells;
    CHECK(f.asked());
  }
  view.filtering = NatFiltering::address_and_port_dependent;
  CHECK(asked());
}
