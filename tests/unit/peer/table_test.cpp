// What the table remembers of connections, lookups and visitors, and that it forgets them.
#include "peer/table.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/peer/context.hpp"

using namespace pw;
using namespace pw::peer;

namespace {

PeerId visitor(std::uint8_t n) {
  std::array<std::uint8_t, 32> key{};
  key[0] = n;
  return PeerId{key};
}

struct Fixture : ContextFixture {
  Fixture() {
    membership.admission = AdmissionMode::secret;
    membership.secrets = {Buffer(32, 1)};
    table.configure(now, membership);
  }
  quic::Handle visit(std::uint8_t n) {
    const quic::Handle handle{++last};
    table.handle(now, quic::Established{handle, visitor(n), false, {}});
    return handle;
  }
  void go(quic::Handle handle) {
    quic::Closed closed{};
    closed.connection = handle;
    table.handle(now, closed);
  }
  Membership membership;
  Table table{context};
  std::uint64_t last = 0;
};

}  // namespace

TEST_CASE("a connection has an owner until it is closed") {
  Fixture f;
  for (int round = 0; round < 100; ++round) {
    const auto handle = f.visit(1);
    CHECK(f.context.owners.size() == 1);
    f.go(handle);
    CHECK(f.context.owners.empty());
  }
}

TEST_CASE("who comes for a service is no peer") {
  Fixture f;
  f.table.handle(f.now, quic::Established{quic::Handle{1}, visitor(1), false, {}, quic::Protocol::service});
  CHECK(f.context.owners.empty());
  CHECK(f.table.snapshot(f.now).empty());
}

TEST_CASE("an answered lookup is forgotten, also when who asked is gone") {
  Fixture f;
  f.membership.peers = {{visitor(1), "x", false, {HostPort{"x.example", 1}, HostPort{"y.example", 1}}}};
  f.table.configure(f.now, f.membership);
  f.table.handle_timeout(f.now);
  REQUIRE(f.context.lookups.size() == 2);
  f.membership.peers.clear();
  f.table.configure(f.now, f.membership);
  CHECK(f.table.snapshot(f.now).empty());
  for (const event::Request& asked : f.out.requests)
    f.table.handle_resolved(f.now, std::get<event::Resolve>(asked).id, fail("no such host"));
  CHECK(f.context.lookups.empty());
}

TEST_CASE("visitors are remembered for a while, and only so many") {
  Fixture f;
  f.go(f.visit(1));
  CHECK(f.table.snapshot(f.now).size() == 1);
  f.now += f.options.retention - 1s;
  f.table.handle_timeout(f.now);
  CHECK(f.table.snapshot(f.now).size() == 1);
  f.now += 2s;
  f.table.handle_timeout(f.now);
  CHECK(f.table.snapshot(f.now).empty());
}

TEST_CASE("of one peer's connections that wait for admission only the newest are kept") {
  Fixture f;
  for (int i = 0; i < 50; ++i) f.visit(1);
  std::size_t alive = 0;
  for (std::uint64_t i = 1; i <= f.last; ++i) {
    const std::size_t before = f.out.events.size();
    f.go(quic::Handle{i});
    alive += f.out.events.size() > before;  // a session tells only of those that it still had
  }
  CHECK(alive > 0);
  CHECK(alive <= Session::kMaxPendingLinks + 1);
}
