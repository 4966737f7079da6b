// A bandwidth measurement against a peer that does not keep to what was agreed.
#include "peer/bandwidth_test.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/peer/context.hpp"

using namespace pw;
using namespace pw::peer;

namespace {

struct Fixture : ContextFixture {
  Fixture() : link{context, quic::Established{kHandle, PeerId{}, false, {}}, now, false} {
    context.bandwidth_quota.set_limit(1 << 20);
    context.bandwidth_busy = true;
  }
  BandwidthTest answer(wire::Transfer direction) {
    return {context, PeerId{}, now, wire::BandwidthRequest{7, direction, 1000, 1000}, link};
  }
  static LinkBulk named(std::uint64_t id) {
    LinkBulk bulk{4, {}, false};
    ByteWriter{bulk.bytes}.u64(id);
    return bulk;
  }
  std::size_t measured() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        out.events, [](const event::Record& r) { return std::holds_alternative<event::BandwidthMeasured>(r.event); }));
  }
  Link link;
};

}  // namespace

TEST_CASE("a peer that sends more than was agreed ends the measurement") {
  Fixture f;
  BandwidthTest test = f.answer(wire::Transfer::upload);
  test.handle_bulk(f.now, Fixture::named(7), f.link);
  test.handle_bulk(f.now + 1ms, LinkBulk{4, Buffer(600, 0), false}, f.link);
  CHECK_FALSE(test.done());
  test.handle_bulk(f.now + 2ms, LinkBulk{4, Buffer(600, 0), false}, f.link);
  test.handle_bulk(f.now + 3ms, LinkBulk{4, Buffer(600, 0), false}, f.link);
  CHECK(test.done());
  CHECK_FALSE(f.context.bandwidth_busy);
  CHECK(f.measured() == 0);
}

TEST_CASE("a stream that names another measurement is not this one's") {
  Fixture f;
  BandwidthTest test = f.answer(wire::Transfer::upload);
  test.handle_bulk(f.now, Fixture::named(8), f.link);
  test.handle_bulk(f.now + 1ms, LinkBulk{4, Buffer(5000, 0), true}, f.link);
  CHECK_FALSE(test.done());
}

TEST_CASE("a report of more than was sent, or in no time, is no measurement") {
  for (const auto& [bytes, us, counts] :
       {std::tuple{std::uint64_t{500}, 1000U, 1U}, {std::uint64_t{1001}, 1000U, 0U}, {std::uint64_t{500}, 0U, 0U}}) {
    Fixture f;
    BandwidthTest test = f.answer(wire::Transfer::download);
    test.handle_bulk(f.now, Fixture::named(7), f.link);
    test.handle(f.now + 1s, wire::BandwidthReport{7, bytes, us}, f.link);
    CHECK(test.done());
    CHECK_FALSE(f.context.bandwidth_busy);
    CHECK(f.measured() == counts);
  }
}

TEST_CASE("a measurement that the peer never begins gives the lease back") {
  Fixture f;
  for (const auto direction : {wire::Transfer::upload, wire::Transfer::download}) {
    f.context.bandwidth_busy = true;
    BandwidthTest test = f.answer(direction);
    test.handle_timeout(test.next_timeout(), f.link);
    CHECK(test.done());
    CHECK_FALSE(f.context.bandwidth_busy);
  }
}
