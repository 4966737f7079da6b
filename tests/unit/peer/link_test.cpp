// A link, fed what a hostile but admitted peer may send.
#include "peer/link.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/peer/context.hpp"

using namespace pw;
using namespace pw::peer;

namespace {

struct Fixture : ContextFixture {
  void admit(Link& link) {
    Buffer stream{static_cast<std::uint8_t>(wire::StreamKind::control)};
    wire::Hello hello;
    hello.mesh = "default";
    const Buffer said = wire::encode(hello);
    stream.insert(stream.end(), said.begin(), said.end());
    link.handle(quic::StreamData{kHandle, 0, stream, false, {}});
    REQUIRE(link.admitted());
  }
  quic::Established inbound() const { return {kHandle, PeerId{}, false, {}}; }
};

bool broken(const std::vector<LinkEvent>& events) {
  return !events.empty() && std::holds_alternative<LinkBroken>(events.back());
}

}  // namespace

TEST_CASE("streams that are opened and never ended don't grow a table for ever") {
  Fixture f;
  Link link{f.context, f.inbound(), f.now, false};
  f.admit(link);
  const Buffer bulk{static_cast<std::uint8_t>(wire::StreamKind::bandwidth)};
  std::size_t taken = 0;
  for (quic::StreamId id = 4; id < 4 * 10'000; id += 4, ++taken)
    if (broken(link.handle(quic::StreamData{f.kHandle, id, bulk, false, {}}))) break;
  CHECK(taken <= Link::kMaxStreams);
}

TEST_CASE("any number of streams may follow one another") {
  Fixture f;
  Link link{f.context, f.inbound(), f.now, false};
  f.admit(link);
  const Buffer bulk{static_cast<std::uint8_t>(wire::StreamKind::bandwidth)};
  for (quic::StreamId id = 4; id < 4 * 1000; id += 8) {
    CHECK_FALSE(broken(link.handle(quic::StreamData{f.kHandle, id, bulk, true, {}})));
    CHECK_FALSE(broken(link.handle(quic::StreamData{f.kHandle, id + 4, {}, true, {}})));
  }
}

TEST_CASE("echo ahead of the Hello is kept as far as one request goes") {
  Fixture f;
  Link link{f.context, f.inbound(), f.now, false};
  CHECK_FALSE(
      broken(link.handle(quic::StreamData{f.kHandle, 4, {static_cast<std::uint8_t>(wire::StreamKind::echo)}, false, {}})));
  CHECK_FALSE(broken(link.handle(quic::StreamData{f.kHandle, 4, Buffer(wire::kMaxEchoPadding, 0), false, {}})));
  CHECK(broken(link.handle(quic::StreamData{f.kHandle, 4, Buffer(100, 0), false, {}})));
}

TEST_CASE("checks ahead of the Hello are kept, a few of them, and given once") {
  Fixture f;
  Link link{f.context, f.inbound(), f.now, false};
  f.admit(link);
  const Buffer bytes(120, 1);
  const wire::stun::Decoded decoded;
  for (int i = 0; i < 100; ++i) link.keep_early({f.now, {}, bytes, decoded});
  CHECK(link.take_early().size() == Link::kMaxEarlyChecks);
  CHECK(link.take_early().empty());
}

TEST_CASE("a link's tag leads to it as long as it lives") {
  Fixture f;
  {
    Link link{f.context, f.inbound(), f.now, false};
    CHECK(f.context.tags.at(link.keys().own_tag) == f.kHandle);
  }
  CHECK(f.context.tags.empty());
}
