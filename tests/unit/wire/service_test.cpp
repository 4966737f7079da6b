#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"
#include "wire/service.hpp"

using namespace pw;
using namespace pw::wire::service;

namespace {

template <class M>
M round_trip(const M& message) {
  Reader reader;
  reader.feed(encode(message));
  auto got = reader.next();
  REQUIRE(got);
  REQUIRE(*got);
  REQUIRE(std::holds_alternative<M>(**got));
  CHECK_FALSE(reader.next());
  return std::get<M>(**got);
}

PeerId peer(std::uint8_t n) { return PeerId{{n}}; }
SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

std::string error_of(ByteView bytes) {
  const auto message = decode(bytes);
  return message ? "" : message.error().detail;
}

/// A field of wire type 2 (length-delimited).
Buffer field(std::uint8_t number, ByteView content) {
  const unsigned tag = number * 8U + 2;
  Buffer out{static_cast<std::uint8_t>(tag)};
  if (tag > 127) out = {static_cast<std::uint8_t>(tag | 128U), static_cast<std::uint8_t>(tag >> 7)};
  out.push_back(static_cast<std::uint8_t>(content.size()));
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

}  // namespace

TEST_CASE("service messages survive the wire") {
  const Hello hello = round_trip(Hello{1, 3, Services::bootstrap | Services::relay, {{1}, {2}}, Digest{3}, true, true});
  CHECK(hello.version_max == 3);
  CHECK(hello.services == (Services::bootstrap | Services::relay));
  CHECK(hello.mesh_tags == std::vector<Digest>{{1}, {2}});
  CHECK(hello.proof == Digest{3});
  CHECK(hello.notify);
  CHECK(hello.resume);
  const Welcome welcome =
      round_trip(Welcome{1, Services::carriage, address("[2001:db8::1]:9"), 8, 1U << 20, 1U << 16, 600, {1, 2, 3}});
  CHECK(welcome.observed == address("[2001:db8::1]:9"));
  CHECK(welcome.pair_bytes == 1U << 16);
  CHECK(welcome.max_lifetime_s == 600);
  CHECK(welcome.challenge == Challenge{1, 2, 3});
  CHECK(round_trip(Confirm{{4, 5}}).challenge == Challenge{4, 5});
  CHECK(round_trip(Resumed{{3, 0x8001}}).channels == std::vector<Channel>{3, 0x8001});
  CHECK_FALSE(round_trip(Welcome{}).observed);  // by a WebSocket
  CHECK_FALSE(round_trip(Observed{7, {}}).address);
  CHECK(round_trip(Observe{7}).request == 7);
  CHECK(round_trip(Observed{7, address("192.0.2.1:65535")}).address == address("192.0.2.1:65535"));
  CHECK(round_trip(Register{8, {1, 2, 3}}).record == Buffer{1, 2, 3});
  CHECK(round_trip(Registered{8, 60}).expires_s == 60);
  CHECK(round_trip(Lookup{9, peer(1), {}}).peer == peer(1));
  CHECK(round_trip(Lookup{9, {}, peer(2)}).after == peer(2));
  const Found found = round_trip(Found{9, {{{1}, {address("192.0.2.1:1"), address("192.0.2.2:2")}, 5, true}, {}}, true});
  REQUIRE(found.entries.size() == 2);
  CHECK(found.entries[0].observed.size() == 2);
  CHECK(found.entries[0].present);
  CHECK(found.more);
  CHECK(round_trip(PeerPresent{peer(1)}).peer == peer(1));
  CHECK(round_trip(PeerGone{peer(1)}).peer == peer(1));
  CHECK(round_trip(OpenChannel{5, peer(1)}).channel == 5);
  CHECK(round_trip(ChannelOpened{0xffff, peer(1)}).channel == 0xffff);
  CHECK(round_trip(PeerObserved{6, address("192.0.2.1:7")}).address == address("192.0.2.1:7"));
  CHECK(round_trip(PeerObserved{6, address("192.0.2.1:7")}).channel == 6);
  CHECK(round_trip(ChannelClosed{5, ChannelEnd::pair_limit}).reason == ChannelEnd::pair_limit);
  const CheckMapping check = round_trip(CheckMapping{6, address("192.0.2.1:9470"), {1, 2, 3}});
  CHECK((check.number == 6 && check.address == address("192.0.2.1:9470")));
  CHECK(check.transaction == wire::stun::TransactionId{1, 2, 3});
  CHECK(round_trip(MappingChecked{6}).number == 6);
  CHECK(round_trip(Refused{Request::check_mapping, Refusal::not_observed, 6}).reason == Refusal::not_observed);
  const Refused refused = round_trip(Refused{Request::open_channel, Refusal::version, 77});
  CHECK((refused.what == Request::open_channel && refused.reason == Refusal::version && refused.number == 77));
}

TEST_CASE("the largest answer to a look-up is a message") {
  Found found;
  for (std::size_t i = 0; i < kMaxFound; ++i)
    found.entries.push_back({Buffer(300, 1), std::vector(kMaxObserved, address("[2001:db8::1]:65535")), ~0U, true});
  CHECK(encode(found).size() < 16384);
  found.entries.emplace_back();
  CHECK(error_of(ByteView{encode(found)}.subspan(4)) == "more than 32 entries in one answer");
}

TEST_CASE("what can't be is refused by name, what is not known is unknown") {
  CHECK(error_of(field(7, field(2, Buffer(31, 1)))) == "a peer's id has 32 bytes");
  CHECK(error_of(field(9, {})) == "a peer's id has 32 bytes");
  CHECK(error_of(field(1, field(4, Buffer(33, 1)))) == "a mesh tag has 32 bytes");
  CHECK(error_of(field(1, field(5, Buffer(1, 1)))) == "a proof has 32 bytes");
  CHECK(error_of(field(4, field(2, field(1, Buffer(5, 1))))) == "an IP address has 4 or 16 bytes");
  CHECK(error_of(field(2, field(3, {}))) == "an IP address has 4 or 16 bytes");
  CHECK(error_of(field(2, field(8, Buffer(15, 1)))) == "a challenge has 16 bytes");
  CHECK(error_of(field(18, field(1, Buffer(17, 1)))) == "a challenge has 16 bytes");
  CHECK(error_of(field(19, field(1, Buffer{0x80, 0x80, 0x04}))) == "a channel has 16 bits");
  CHECK(error_of(ByteView{encode(Resumed{std::vector<Channel>(257, 1)})}.subspan(4)) == "more than 256 channels were resumed");
  CHECK(error_of(field(15, Buffer{0x08, 0x01})) == "an IP address has 4 or 16 bytes");
  CHECK(error_of(field(13, Buffer{0x08, 0x80, 0x80, 0x04})) == "a channel has 16 bits");
  CHECK(error_of(Buffer{0xff}) == "a control message can't be parsed");
  CHECK(error_of(field(16, field(2, field(1, Buffer(4, 1))))) == "a transaction has 12 bytes");
  const auto unknown = decode(field(99, Buffer(3, 1)));
  REQUIRE(unknown);
  CHECK(std::holds_alternative<Unknown>(*unknown));
  const auto later = decode(field(14, Buffer{0x08, 0x63, 0x10, 0x63}));  // 99 and 99
  REQUIRE(later);
  CHECK(std::get<Refused>(*later).reason == Refusal::unspecified);
}

TEST_CASE("damaged messages never do harm") {
  Rng rng{1};
  const Buffer good = encode(Found{9, {{Buffer(100, 1), {address("192.0.2.1:1")}, 5, true}}, true});
  for (int i = 0; i < 20000; ++i) {
    Buffer bytes(good.begin() + 4, good.end());
    for (std::uint64_t n = rng.below(4) + 1; n > 0; --n)
      bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.next());
    bytes.resize(rng.below(bytes.size() + 1));
    static_cast<void>(decode(bytes));
  }
}

TEST_CASE("a packet in its channel") {
  const Buffer packet(1200, 9);
  const Buffer datagram = in_channel(0x8001, packet);
  CHECK(datagram.size() == 1202);
  const auto out = out_of_channel(datagram);
  REQUIRE(out);
  CHECK(out->first == 0x8001);
  CHECK(std::ranges::equal(out->second, packet));
  CHECK_FALSE(out_of_channel(ByteView{datagram}.first(2)));
  CHECK_FALSE(out_of_channel({}));
}
