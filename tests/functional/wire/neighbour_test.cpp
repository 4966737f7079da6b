#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "functional/wire/checksum.hpp"
#include "functional/wire/golden.hpp"
#include "functional/wire/neighbour.hpp"

using namespace pw;
using namespace pw::lab;

namespace {

const auto kNothing = [](const IpAddress&) { return false; };

std::optional<Buffer> answer(const Buffer& frame, const Owns& owns = kNothing) {
  const auto ethernet = read_ethernet(frame);
  REQUIRE(ethernet);
  return answer_neighbour(*ethernet, kFarEnd, owns);
}

}  // namespace

TEST_CASE("a question of ARP is answered as a kernel would") {
  const auto reply = answer(kArpQuestion);
  REQUIRE(reply);
  CHECK(to_hex(*reply) == "0200000000010200000000020806" "0001080006040002" "020000000002c0000202" "020000000001c0000201");
}

TEST_CASE("a neighbour solicitation is answered with a right checksum") {
  const auto reply = answer(kSolicitation);
  REQUIRE(reply);
  CHECK(to_hex(ByteView{*reply}.first(54)) ==
        "02000000000102000000000286dd6000000000203aff20010db800000000000000000000000220010db8000000000000000000000001");
  const ByteView message = ByteView{*reply}.subspan(54);
  CHECK(message[0] == 136);
  CHECK(to_hex(message.subspan(4)) == "e000000020010db80000000000000000000000020201020000000002");
  const auto ip = [&](std::size_t at) {
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(reply->begin() + static_cast<std::ptrdiff_t>(at), 16, bytes.begin());
    return IpAddress::v6(bytes);
  };
  CHECK(Checksum{}.add_pseudo_header(ip(22), ip(38), kIpIcmp6, message.size()).add(message).value() == 0);
}

TEST_CASE("questions for the host's own addresses and for those that it is about to take stay without an answer") {
  CHECK_FALSE(answer(kArpQuestion, [](const IpAddress& a) { return a == IpAddress::v4({192, 0, 2, 2}); }));
  CHECK(answer(kArpQuestion, [](const IpAddress& a) { return a == IpAddress::v4({192, 0, 2, 1}); }));
  CHECK_FALSE(answer(kSolicitation, [](const IpAddress& a) { return a == IpAddress::parse("2001:db8::2").value(); }));
  CHECK_FALSE(answer(kDuplicateDetection));
  Buffer detection = kSolicitation;  // the same for a global address
  std::fill_n(detection.begin() + 22, 16, std::uint8_t{0});
  detection[56] = detection[57] = 0;
  std::array<std::uint8_t, 16> group{};
  std::copy_n(detection.begin() + 38, group.size(), group.begin());
  const ByteView message = ByteView{detection}.subspan(54);
  const std::uint16_t sum = Checksum{}
                                .add_pseudo_header(IpAddress::any(Family::v6), IpAddress::v6(group), kIpIcmp6, message.size())
                                .add(message)
                                .value();
  detection[56] = static_cast<std::uint8_t>(sum >> 8);
  detection[57] = static_cast<std::uint8_t>(sum);
  CHECK_FALSE(answer(detection));
  Buffer probe = kArpQuestion;
  std::fill_n(probe.begin() + 28, 4, std::uint8_t{0});  // the sender's address
  CHECK_FALSE(answer(probe));
}

TEST_CASE("answers, malformed and cut questions stay without an answer") {
  Buffer reply = kArpQuestion;
  reply[21] = 2;
  CHECK_FALSE(answer(reply));
  Buffer bent = kSolicitation;
  bent.back() ^= 1;  // its checksum does not agree any more
  CHECK_FALSE(answer(bent));
  bent = kSolicitation;
  bent[21] = 254;  // it crossed a router
  CHECK_FALSE(answer(bent));
  for (const Buffer& whole : {kArpQuestion, kSolicitation})
    for (std::size_t n = kEthernetHeader; n < whole.size(); ++n)
      CHECK_FALSE(answer(Buffer{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}));
}

TEST_CASE("only neighbour traffic is kept from the simulated internet") {
  for (const Buffer& frame : {kUdpOdd, kUdp6, kTcp, kTcp6, kEcho, kEcho6})
    CHECK_FALSE(is_neighbour_traffic(read_ethernet(frame).value()));
  for (const Buffer& frame : {kArpQuestion, kSolicitation, kDuplicateDetection})
    CHECK(is_neighbour_traffic(read_ethernet(frame).value()));
}

TEST_CASE("the question for a host's hardware address tells it nothing about anybody's") {
  const Buffer question = ask_neighbour(IpAddress::v4({192, 0, 2, 1}), kFarEnd);
  CHECK(to_hex(question) == "ffffffffffff0200000000020806" "0001080006040001" "02000000000200000000" "000000000000c0000201");
}
