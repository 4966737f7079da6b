#include "mesh/inbound_channels.hpp"

#include <catch2/catch_test_macros.hpp>

namespace pw::mesh {
namespace {

using event::ChannelClosure;

PeerId key(std::uint8_t n) {
  std::array<std::uint8_t, PeerId::kSize> bytes{};
  bytes[8] = n;
  return PeerId{bytes};
}

}  // namespace

TEST_CASE("one peer has so many channels to this node at a relay, and others by another") {
  InboundChannels channels;
  const Instant now{1s};
  std::uint32_t via = 1;
  for (; via <= InboundChannels::kMaxOfPeer; ++via)
    CHECK_FALSE(channels.opened(now, Via{via}, key(100), key(1), false));
  CHECK(channels.opened(now, Via{via}, key(100), key(1), false) == ChannelClosure::peer_limit);
  CHECK_FALSE(channels.opened(now, Via{90}, key(101), key(1), false));
  CHECK_FALSE(channels.opened(now, Via{via}, key(100), key(2), false));
  channels.closed(Via{1});
  CHECK_FALSE(channels.opened(now, Via{++via}, key(100), key(1), false));
}

TEST_CASE("strangers have so many channels together, whatever their names, and members are not concerned") {
  InboundChannels channels;
  const Instant now{1s};
  std::uint32_t via = 1;
  for (; via <= InboundChannels::kMaxStrangers; ++via)
    CHECK_FALSE(channels.opened(now, Via{via}, key(100), key(static_cast<std::uint8_t>(via)), true));
  CHECK(channels.opened(now, Via{via}, key(100), key(99), true) == ChannelClosure::stranger_limit);
  CHECK_FALSE(channels.opened(now, Via{via}, key(100), key(99), false));
}

TEST_CASE("a channel goes when its peer has no connection here, and not before its time") {
  InboundChannels channels;
  const Instant now{1s};
  CHECK_FALSE(channels.opened(now, Via{1}, key(100), key(1), false));
  CHECK_FALSE(channels.opened(now, Via{2}, key(100), key(2), false));
  const auto first = [](const PeerId& peer) { return peer == key(1); };
  CHECK(channels.poll_timeout() == now + InboundChannels::kPatience);
  CHECK(channels.expired(now + InboundChannels::kPatience - 1ns, first).empty());
  const auto gone = channels.expired(now + InboundChannels::kPatience, first);
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].first == Via{2});
  CHECK(gone[0].second.server == key(100));
  // It is looked at again: what came of it ends one day.
  CHECK(channels.poll_timeout() == now + 2 * InboundChannels::kPatience);
  CHECK(channels.expired(now + 2 * InboundChannels::kPatience, [](const PeerId&) { return false; }).size() == 1);
  CHECK(channels.poll_timeout() == kNever);
}

}  // namespace pw::mesh
