#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"
#include "wire/control.hpp"

using namespace pw;
using namespace pw::wire;

namespace {

template <class M>
M round_trip(const M& message) {
  ControlReader reader;
  reader.feed(encode(message));
  auto got = reader.next();
  REQUIRE(got);
  REQUIRE(*got);
  REQUIRE(std::holds_alternative<M>(**got));
  CHECK_FALSE(reader.next());
  return std::get<M>(**got);
}

std::string error_of(ByteView bytes) {
  const auto message = decode_control(bytes);
  return message ? "" : message.error().detail;
}

/// The message without its length.
Buffer body(const ControlMessage& message) {
  Buffer whole = encode(message);
  whole.erase(whole.begin(), whole.begin() + 4);
  return whole;
}

}  // namespace

TEST_CASE("control messages survive the wire") {
  Hello hello;
  hello.instance.fill(9);
  hello.software = "1.2.3";
  hello.mesh = "default";
  const Hello got = round_trip(hello);
  CHECK(got.instance == hello.instance);
  CHECK(got.software == "1.2.3");
  CHECK(got.mesh == "default");
  AdmissionProof proof;
  proof.hmac.fill(3);
  CHECK(round_trip(proof).hmac == proof.hmac);
  for (auto reason :
       {GoodbyeReason::unspecified, GoodbyeReason::shutdown, GoodbyeReason::operator_request, GoodbyeReason::removed})
    CHECK(round_trip(Goodbye{reason}).reason == reason);
  const auto request = round_trip(BandwidthRequest{5, Transfer::download, 1 << 20, 2000});
  CHECK((request.id == 5 && request.direction == Transfer::download && request.bytes == 1 << 20 &&
         request.duration_ms == 2000));
  for (auto verdict : {BandwidthVerdict::accepted, BandwidthVerdict::busy, BandwidthVerdict::quota})
    CHECK(round_trip(BandwidthAnswer{1, verdict, 7}).verdict == verdict);
  CHECK(round_trip(BandwidthReport{1, 2, 3}).elapsed_us == 3);
}

TEST_CASE("candidates and messages of a round survive the wire") {
  Candidates candidates;
  candidates.candidates = {{1, {IpAddress::v4({192, 0, 2, 7}), 9470}, 0x7effffff},
                           {99, {*IpAddress::parse("2001:db8::1"), 65535}, 0}};
  candidates.nats = {{.family = Family::v6, .udp = 2, .mapping = 4, .mapping_at_least = true, .filtering = 3,
                      .allocation = 2, .step = -5, .mapped = SocketAddress{*IpAddress::parse("2001:db8::2"), 4}},
                     {.family = Family::v4, .udp = 1, .mapped = {}}};
  candidates.methods = 3;
  CHECK(round_trip(candidates) == candidates);
  CHECK(round_trip(Candidates{}) == Candidates{});
  const Punch punch{.kind = 3, .round = 9, .method = 2, .family = Family::v6, .attempt = 255, .first = 65535,
                    .step = -1024, .count = 64, .failure = 6};
  CHECK(round_trip(punch) == punch);
}

TEST_CASE("candidates that can be none are refused by what is wrong with them") {
  Candidates m;
  m.candidates.resize(Candidates::kMax + 1);
  CHECK(error_of(body(m)) == "too many candidates");
  m.candidates.resize(Candidates::kMax);
  CHECK(error_of(body(m)).empty());
  m.nats.resize(2);
  CHECK(error_of(body(m)) == "more than one NAT of a family");
  m.nats.resize(3);
  CHECK(error_of(body(m)) == "more than one NAT of a family");
  // A candidate without an address.
  CHECK(error_of(Buffer{0x3a, 2, 0x0a, 0}) == "an IP address has 4 or 16 bytes");
  // Of a kind that is not known here, and may need none.
  CHECK(error_of(Buffer{0x3a, 4, 0x0a, 2, 0x08, 99}).empty());
  // Of port 65536.
  CHECK(error_of(Buffer{0x3a, 14, 0x0a, 12, 0x12, 10, 0x0a, 4, 1, 2, 3, 4, 0x10, 0x80, 0x80, 0x04}) == "a port has 16 bits");
  // A sample that begins at port 65536; a start of attempt 256.
  CHECK(error_of(Buffer{0x42, 4, 0x30, 0x80, 0x80, 0x04}) == "a port has 16 bits");
  CHECK(error_of(Buffer{0x42, 3, 0x28, 0x80, 0x02}) == "an attempt has 8 bits");
}

TEST_CASE("messages are cut from a stream however it is chopped") {
  Buffer stream;
  for (std::uint64_t i = 0; i < 50; ++i)
    for (std::uint8_t b : encode(BandwidthReport{i, i * 1000, 1})) stream.push_back(b);
  ControlReader reader;
  std::uint64_t next = 0;
  for (std::uint8_t b : stream) {
    reader.feed(ByteView{&b, 1});
    while (auto message = reader.next()) {
      REQUIRE(*message);
      CHECK(std::get<BandwidthReport>(**message).id == next++);
    }
  }
  CHECK(next == 50);
}

TEST_CASE("what is wrong with a message is said") {
  CHECK(error_of(Buffer{0xff, 0xff, 0xff}) == "a control message can't be parsed");
  Hello hello;
  hello.version_min = 2;
  hello.version_max = 1;
  CHECK(error_of(body(hello)) == "the version range of a Hello is empty");
  hello = {};
  hello.software.assign(65, 'x');
  CHECK(error_of(body(hello)) == "a software version has at most 64 bytes");
  CHECK(error_of(Buffer{0x12, 0x00}) == "an instance id has 16 bytes");      // hello {}
  CHECK(error_of(Buffer{0x0a, 0x00}) == "an admission proof has 32 bytes");  // admission_proof {}
  CHECK(error_of(Buffer{0x22, 0x00}) == "a bandwidth request needs a direction");
  CHECK(error_of(Buffer{0x2a, 0x00}) == "a bandwidth answer needs a verdict");
  CHECK(error_of(Buffer{0x12, 0x04, 0x22, 0x02, 0xff, 0xfe}) != "");  // not UTF-8
}

TEST_CASE("a body of a later version is unknown, not an error") {
  const auto message = decode_control(Buffer{0xfa, 0x06, 0x00});  // field 111
  REQUIRE(message);
  CHECK(std::holds_alternative<UnknownMessage>(*message));
}

TEST_CASE("a length beyond the limit is refused before anything is kept for it") {
  ControlReader reader;
  reader.feed(Buffer{0, 1, 0, 1});
  const auto message = reader.next();
  REQUIRE(message);
  CHECK_FALSE(*message);
}

TEST_CASE("random bytes never do more than fail") {
  Rng rng{7};
  for (int i = 0; i < 20'000; ++i) {
    Buffer bytes(rng.below(64));
    rng.fill(bytes);
    (void)decode_control(bytes);
    ControlReader reader;
    reader.feed(bytes);
    for (auto m = reader.next(); m && *m; m = reader.next()) {
    }
  }
  SUCCEED();
}
