// When a peer is dialled next, as its session has it: after failures of its own, of ours, and with what shortens the wait.
#include <catch2/catch_test_macros.hpp>

#include "peer/table.hpp"
#include "unit/peer/context.hpp"

using namespace pw;
using namespace pw::peer;
using event::BreakerState;
using event::ErrorType;

namespace {

constexpr PeerId kPeer{std::array<std::uint8_t, 32>{7}};
const HostPort kAddress{"192.0.2.7", 9470};

/// A table with one peer, whose dials end as the test says.
struct Fixture : ContextFixture {
  Fixture() {
    now += 1000s;
    membership.peers = {{kPeer, "x", false, {kAddress}}};
    table.configure(now, membership);
  }
  event::PeerSnapshot peer() const { return table.snapshot(now).at(0); }
  /// Lets time go by until the next dial, and fails it after a second.
  void fail(ErrorType error = ErrorType::timeout) {
    now = std::max(now, *peer().next_dial);
    table.handle_timeout(now);
    REQUIRE(context.owners.size() == 1);
    now += 1s;
    quic::Closed closed{};
    closed.connection = context.owners.begin()->first;
    closed.local = true;
    closed.error = error;
    table.handle(now, closed);
  }
  void open() {
    for (unsigned i = 0; i < options.breaker_failures; ++i) fail();
    REQUIRE(peer().breaker.state == BreakerState::open);
  }
  Duration waits() const { return *peer().next_dial - now; }

  Membership membership;
  Table table{context};
};

}  // namespace

TEST_CASE("the fifth failure of a peer's own opens its breaker for a minute, told with its dial") {
  Fixture f;
  for (int i = 0; i < 4; ++i) f.fail();
  CHECK(f.peer().breaker.state == BreakerState::closed);
  CHECK(f.peer().breaker.failures == 4);
  f.out.events.clear();
  f.fail();
  CHECK(f.peer().breaker.state == BreakerState::open);
  CHECK(f.peer().breaker.next_attempt == f.now + 60s);
  CHECK(f.waits() == 60s);
  const event::BreakerChanged* changed = nullptr;
  const event::DialEnded* ended = nullptr;
  for (const event::Record& r : f.out.events) {
    if (const auto* e = std::get_if<event::BreakerChanged>(&r.event)) changed = e;
    if (const auto* e = std::get_if<event::DialEnded>(&r.event)) ended = e;
  }
  REQUIRE(changed != nullptr);
  CHECK(changed->failures == 5);
  CHECK(changed->opens_for == 60s);
  REQUIRE(ended != nullptr);
  CHECK(ended->retry_in == 60s);
}

TEST_CASE("errors that are not the peer's open nothing") {
  for (const ErrorType error : {ErrorType::resource_exhausted, ErrorType::dns, ErrorType::unknown}) {
    Fixture f;
    for (int i = 0; i < 20; ++i) f.fail(error);
    CHECK(f.peer().breaker.state == BreakerState::closed);
    CHECK(f.peer().breaker.failures == 0);
    CHECK(f.peer().failures == 20);  // the back-off counts them all
  }
}

TEST_CASE("each probe that fails doubles the wait, and a bootstrap's word shortens it to a minute after the last") {
  Fixture f;
  f.open();
  for (const Duration expected : {120s, 240s, 480s, 600s, 600s}) {
    f.fail();
    CHECK(f.waits() == expected);
  }
  f.now += 20s;
  f.table.handle_present(f.now, kPeer);
  CHECK(f.waits() == 40s);
  f.now += 11s;  // from then on it is heeded again, and changes nothing
  f.table.handle_present(f.now, kPeer);
  CHECK(f.waits() == 29s);
}

TEST_CASE("a bootstrap's word after more than a minute has the peer probed soon") {
  Fixture f;
  f.open();
  f.fail();
  f.fail();
  f.now += 100s;
  f.table.handle_present(f.now, kPeer);
  CHECK(f.waits() <= f.options.retry_initial);
}

TEST_CASE("a handshake of the peer's shortens the wait, too, though it is no session yet") {
  Fixture f;
  f.open();
  f.fail();
  f.now += 10s;
  f.table.handle(f.now, quic::Established{quic::Handle{99}, kPeer, false, {}});
  CHECK(f.peer().breaker.next_attempt == f.now + 50s);
  CHECK(f.peer().breaker.state == BreakerState::open);
}

TEST_CASE("an operator, other addresses and another network have an open breaker probed at once") {
  SECTION("an operator") {
    Fixture f;
    f.open();
    f.table.handle_command(f.now, event::Ticket{1}, event::Connect{kPeer, {}});
    CHECK(f.waits() == 0s);
  }
  SECTION("other addresses") {
    Fixture f;
    f.open();
    f.membership.peers = {{kPeer, "x", false, {{"192.0.2.8", 9470}}}};
    f.table.configure(f.now, f.membership);
    CHECK(f.waits() == 0s);
  }
  SECTION("another network") {
    Fixture f;
    f.open();
    f.table.network_changed(f.now, {});
    CHECK(f.waits() <= f.options.retry_initial);
  }
}

TEST_CASE("a reload that changes nothing leaves an open breaker alone") {
  Fixture f;
  f.open();
  f.table.configure(f.now, f.membership);
  CHECK(f.waits() == 60s);
}

TEST_CASE("a peer whose own handshake came through before it died is judged all the same") {
  Fixture f;
  f.table.handle(f.now, quic::Established{quic::Handle{99}, kPeer, false, {}});
  f.table.count(f.now, quic::Handle{98}, event::Direction::inbound, {}, Carried::quic, 1200, 1);  // before it had a name
  f.table.count(f.now, quic::Handle{99}, event::Direction::inbound, {}, Carried::quic, 1200, 1);
  quic::Closed closed{};
  closed.connection = quic::Handle{99};
  f.table.handle(f.now, closed);
  f.open();
}
