// A link, fed what a hostile but admitted peer may send.
#include "peer/link.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/peer/context.hpp"

using namespace pw;
using namespace pw::peer;

namespace {

struct Fixture : ContextFixture {
  Link admitted() {
    Link link{context, quic::Established{kHandle, PeerId{}, false, {}}, now, false};
    Buffer stream{static_cast<std::uint8_t>(wire::StreamKind::control)};
    wire::Hello hello;
    hello.mesh = "default";
    const Buffer said = wire::encode(hello);
    stream.insert(stream.end(), said.begin(), said.end());
    link.handle(quic::StreamData{kHandle, 0, stream, false, {}});
    REQUIRE(link.admitted());
    return link;
  }
};

bool broken(const std::vector<LinkEvent>& events) {
  return !events.empty() && std::holds_alternative<LinkBroken>(events.back());
}

}  // namespace

TEST_CASE("streams that are opened and never ended don't grow a table for ever") {
  Fixture f;
  Link link = f.admitted();
  const Buffer bulk{static_cast<std::uint8_t>(wire::StreamKind::bandwidth)};
  std::size_t taken = 0;
  for (quic::StreamId id = 4; id < 4 * 10'000; id += 4, ++taken)
    if (broken(link.handle(quic::StreamData{f.kHandle, id, bulk, false, {}}))) break;
  CHECK(taken <= Link::kMaxStreams);
}

TEST_CASE("any number of streams may follow one another") {
  Fixture f;
  Link link = f.admitted();
  const Buffer bulk{static_cast<std::uint8_t>(wire::StreamKind::bandwidth)};
  for (quic::StreamId id = 4; id < 4 * 1000; id += 8) {
    CHECK_FALSE(broken(link.handle(quic::StreamData{f.kHandle, id, bulk, true, {}})));
    CHECK_FALSE(broken(link.handle(quic::StreamData{f.kHandle, id + 4, {}, true, {}})));
  }
}

TEST_CASE("echo ahead of the Hello is kept as far as one request goes") {
  Fixture f;
  Link link{f.context, quic::Established{f.kHandle, PeerId{}, false, {}}, f.now, false};
  CHECK_FALSE(
      broken(link.handle(quic::StreamData{f.kHandle, 4, {static_cast<std::uint8_t>(wire::StreamKind::echo)}, false, {}})));
  CHECK_FALSE(broken(link.handle(quic::StreamData{f.kHandle, 4, Buffer(wire::kMaxEchoPadding, 0), false, {}})));
  CHECK(broken(link.handle(quic::StreamData{f.kHandle, 4, Buffer(100, 0), false, {}})));
}

TEST_CASE("datagrams ahead of the Hello are kept, a few of them, and given once") {
  Fixture f;
  Link link = f.admitted();
  for (int i = 0; i < 100; ++i) link.keep_early(quic::DatagramReceived{f.kHandle, {}, f.now, Buffer(9, 1)});
  CHECK(link.take_early().size() == Link::kMaxEarlyDatagrams);
  CHECK(link.take_early().empty());
}
