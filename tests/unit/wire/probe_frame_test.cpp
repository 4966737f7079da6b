#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"
#include "wire/probe_frame.hpp"

using namespace pw;
using namespace pw::wire;

TEST_CASE("probe frames survive the wire, and nothing else is one") {
  const ProbeFrame probe{0xfffffffe, 123456};
  const ReceiptFrame receipt{7, 9, 0x8000000000000005, 250};
  CHECK(std::get<ProbeFrame>(*decode_probe(encode(probe))) == probe);
  CHECK(std::get<ReceiptFrame>(*decode_probe(encode(receipt))) == receipt);
  for (Buffer whole : {encode(probe), encode(receipt)}) {
    for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(decode_probe(ByteView{whole}.first(n)));
    Buffer longer = whole;
    longer.push_back(0);
    CHECK_FALSE(decode_probe(longer));
    whole[0] = 3;
    CHECK_FALSE(decode_probe(whole));
  }
}

TEST_CASE("echo frames are cut from a stream however it is chopped") {
  Rng rng{1};
  std::vector<EchoFrame> frames;
  Buffer stream;
  for (std::uint32_t i = 0; i < 200; ++i) {
    frames.push_back({rng.chance(0.5), i, static_cast<std::uint16_t>(rng.below(kMaxEchoPadding + 1))});
    const Buffer bytes = encode(frames.back());
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  EchoReader reader;
  std::vector<EchoFrame> got;
  for (ByteView rest = stream; !rest.empty();) {
    const auto n = std::min<std::size_t>(rest.size(), 1 + rng.below(900));
    reader.feed(rest.first(n));
    rest = rest.subspan(n);
    while (auto frame = reader.next()) got.push_back(*frame);
  }
  CHECK(got == frames);
  CHECK(reader.pending() == 0);
}

TEST_CASE("a malformed echo frame breaks the stream for good") {
  EchoReader reader;
  reader.feed(Buffer{9, 0, 0, 0, 0, 0, 0});
  CHECK_FALSE(reader.next());
  CHECK(reader.broken());
  reader.feed(encode(EchoFrame{}));
  CHECK_FALSE(reader.next());

  EchoReader greedy;
  Buffer frame = encode(EchoFrame{});
  frame[5] = frame[6] = 0xff;  // more padding than allowed: never waited for
  greedy.feed(frame);
  CHECK_FALSE(greedy.next());
  CHECK(greedy.broken());
}
