// What strangers are answered, how large, how often, and from where.
#include "service/stun_responder.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"

using namespace pw;
using namespace pw::service;
using namespace pw::wire::stun;

namespace {

SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

const Instant kStart{1h};
const SocketAddress kPrimary = at("192.0.2.1:3478");
const SocketAddress kAlternate = at("192.0.2.2:3479");
const SocketAddress kPrimary6 = at("[2001:db8::1]:3478");
const SocketAddress kAlternate6 = at("[2001:db8::2]:3479");
const SocketAddress kClient = at("198.51.100.7:40000");
const SocketAddress kClient6 = at("[2001:db8:7::7]:40000");

StunResponderOptions discovering() {
  StunResponderOptions options;
  options.behaviour_discovery = {{kPrimary, kAlternate}, {kPrimary6, kAlternate6}};
  return options;
}
StunResponderOptions without_limits(StunResponderOptions options) {
  options.per_network = options.per_network_burst = options.total = options.total_burst = 1e9;
  return options;
}

Message binding(std::optional<ChangeRequest> change = {}) {
  Message m;
  m.transaction = {1, 2, 3};
  m.change = change;
  return m;
}
Buffer plain(const Message& m) { return encode(m, Integrity::none, {}, Fingerprint::without); }
const Buffer kPlain = plain(binding());

StunResponder::Outcome ask(StunResponder& responder, ByteView bytes, const SocketAddress& client = kClient,
                           const SocketAddress& server = kPrimary, Instant now = kStart) {
  return responder.answer(now, {server.ip, client}, server.port, bytes);
}

/// A plain request with these bytes of attributes behind its header.
Buffer with(std::initializer_list<std::uint8_t> attributes) {
  Buffer bytes = kPlain;
  bytes.insert(bytes.end(), attributes);
  bytes[3] = static_cast<std::uint8_t>(attributes.size());
  return bytes;
}

std::vector<std::uint16_t> refused_of(const StunResponder::Outcome& outcome) {
  REQUIRE(outcome.result == StunResult::unsupported);
  const auto read = decode(outcome.answer.value().bytes);
  REQUIRE(read);
  CHECK(read->message.kind == Class::error);
  CHECK(read->message.error.value().code == 420);
  CHECK(read->message.transaction == binding().transaction);
  return read->message.unknown;
}

}  // namespace

TEST_CASE("a plain Binding request is told from where it came, by the smallest answer there is") {
  StunResponder responder{{}};
  const auto check = [&](const SocketAddress& client, const SocketAddress& server, std::size_t size) {
    const auto outcome = ask(responder, kPlain, client, server);
    REQUIRE(outcome.result == StunResult::success);
    CHECK(outcome.answer->from == server);
    CHECK(outcome.answer->to == client);
    CHECK(outcome.answer->bytes.size() == size);
    Message expected = binding();
    expected.kind = Class::success;
    expected.mapped = client;
    CHECK(decode(outcome.answer->bytes).value().message == expected);
  };
  check(kClient, kPrimary, 32);
  check(kClient6, kPrimary6, 44);
}

TEST_CASE("a FINGERPRINT is answered with one") {
  StunResponder responder{{}};
  CHECK(decode(ask(responder, encode(binding())).answer->bytes)->fingerprint);
  CHECK_FALSE(decode(ask(responder, kPlain).answer->bytes)->fingerprint);
}

TEST_CASE("answers come from where CHANGE-REQUEST wants them, of whichever corner it is asked (RFC 5780, table 1)") {
  StunResponder responder{discovering()};
  const auto check = [&](const SocketAddress& client, const SocketAddress& primary, const SocketAddress& alternate) {
    for (const bool ip : {false, true}) {
      for (const bool port : {false, true}) {
        const SocketAddress asked{ip ? alternate.ip : primary.ip, port ? alternate.port : primary.port};
        const SocketAddress opposite{ip ? primary.ip : alternate.ip, port ? primary.port : alternate.port};
        for (const bool change_ip : {false, true}) {
          for (const bool change_port : {false, true}) {
            const auto outcome = ask(responder, encode(binding(ChangeRequest{change_ip, change_port})), client, asked);
            REQUIRE(outcome.result == StunResult::success);
            const SocketAddress source{change_ip ? opposite.ip : asked.ip, change_port ? opposite.port : asked.port};
            CHECK(outcome.answer->from == source);
            CHECK(outcome.answer->to == client);
            const Message m = decode(outcome.answer->bytes).value().message;
            CHECK(m.mapped == client);
            CHECK(m.other_address == opposite);
            CHECK(m.response_origin == source);
          }
        }
      }
    }
  };
  check(kClient, kPrimary, kAlternate);
  check(kClient6, kPrimary6, kAlternate6);
}

TEST_CASE("where there is no alternate, CHANGE-REQUEST is refused (RFC 5780, 6.1) and none is told of") {
  StunResponder without{{}};
  StunResponder with_v4{discovering()};
  for (const bool ip : {false, true}) {
    const Buffer bytes = plain(binding(ChangeRequest{ip, false}));
    CHECK(refused_of(ask(without, bytes)) == std::vector{kChangeRequestType});
    // Asked at an address or a port of ours that is no corner.
    CHECK(refused_of(ask(with_v4, bytes, kClient, at("192.0.2.9:3478"))) == std::vector{kChangeRequestType});
    CHECK(refused_of(ask(with_v4, bytes, kClient, at("192.0.2.1:9470"))) == std::vector{kChangeRequestType});
  }
  CHECK_FALSE(decode(ask(with_v4, kPlain, kClient, at("192.0.2.1:9470")).answer->bytes)->message.other_address);
}

TEST_CASE("nobody's answer goes to another port, none is padded, and what is not understood is refused") {
  StunResponder responder{discovering()};
  CHECK(refused_of(ask(responder, with({0x00, 0x26, 0, 4, 0, 0, 0, 0}))) == std::vector{kPaddingType});
  CHECK(refused_of(ask(responder, with({0x00, 0x27, 0, 4, 0x10, 0, 0, 0}))) == std::vector{kResponsePortType});
  CHECK(refused_of(ask(responder, with({0x00, 0x25, 0, 0, 0x7f, 0xff, 0, 0}))) ==
        std::vector<std::uint16_t>{0x0025, 0x7fff});
  CHECK(ask(responder, with({0x80, 0x29, 0, 0})).result == StunResult::success);  // may be ignored
  const auto outcome = ask(responder, with({0, 3, 0, 4, 0, 0, 0, 6, 0, 0x27, 0, 4, 0x10, 0, 0, 0}));
  CHECK(refused_of(outcome) == std::vector{kResponsePortType});
  CHECK(outcome.answer->from == kPrimary);
  CHECK(outcome.answer->to == kClient);

  // More of them than a list of ours holds.
  Buffer many = with({0x00, 0x26, 0, 0, 0x00, 0x27, 0, 0});
  for (std::uint8_t type = 0; type < 40; ++type) many.insert(many.end(), {0x10, type, 0, 0});
  many[3] = static_cast<std::uint8_t>(many.size() - 20);
  CHECK(refused_of(ask(responder, many)).size() == kMaxTypes);
}

TEST_CASE("what is not a stranger's Binding request is not answered") {
  StunResponder responder{discovering()};
  const auto result = [&](ByteView bytes, const SocketAddress& client = kClient) {
    const auto outcome = ask(responder, bytes, client);
    CHECK_FALSE(outcome.answer);
    return outcome.result;
  };
  Message m = binding();
  for (const Class kind : {Class::indication, Class::success, Class::error}) {
    m.kind = kind;
    m.error = ErrorCode{420, {}};
    CHECK(result(encode(m)) == StunResult::ignored);
  }
  m = binding();
  m.method = 3;
  CHECK(result(encode(m)) == StunResult::ignored);
  m = binding();
  CHECK(result(encode(m, Integrity::sha1, as_bytes("key"))) == StunResult::ignored);
  m.username = "them:us";
  CHECK(result(encode(m)) == StunResult::ignored);
  CHECK(result(kPlain, {kClient.ip, 0}) == StunResult::ignored);
  CHECK(result(kPlain, at("239.1.1.1:40000")) == StunResult::ignored);
  CHECK(result(kPlain, at("0.0.0.0:40000")) == StunResult::ignored);

  CHECK(result({}) == StunResult::malformed);
  CHECK(result(with({0x00, 0x03, 0, 1, 0, 0, 0, 0})) == StunResult::malformed);
  Buffer bad = encode(binding());
  bad.back() ^= 1;
  CHECK(result(bad) == StunResult::malformed);

  // Its own answer, come back.
  CHECK(result(ask(responder, kPlain).answer->bytes) == StunResult::ignored);
  CHECK(result(ask(responder, with({0x00, 0x26, 0, 0})).answer->bytes) == StunResult::ignored);
}

TEST_CASE("no answer has more than three times the bytes of its question, whatever is asked") {
  StunResponder responder{without_limits(discovering())};
  Rng rng{1};
  struct Worst {
    double success = 0;
    double unsupported = 0;
    std::size_t bytes = 0;
  };
  std::array<Worst, 2> worst;  // IPv4, IPv6
  for (int i = 0; i < 50000; ++i) {
    Message m = binding();
    if (rng.chance(0.5)) m.change = ChangeRequest{rng.chance(0.5), rng.chance(0.5)};
    if (rng.chance(0.1)) m.software = "s" + std::string(rng.below(100), 's');
    Buffer bytes = plain(m);
    if (rng.chance(0.3)) {  // attributes at random, mostly unknown ones
      const std::size_t n = 1 + rng.below(rng.chance(0.5) ? 2 : 25);
      for (std::size_t k = 0; k < n; ++k) {
        const auto type = static_cast<std::uint16_t>(rng.chance(0.5) ? rng.below(0x30) : rng.next());
        ByteWriter w{bytes};
        w.u16(type);
        w.u16(0);
      }
      bytes[2] = static_cast<std::uint8_t>((bytes.size() - 20) >> 8);
      bytes[3] = static_cast<std::uint8_t>((bytes.size() - 20) & 0xff);
    } else if (rng.chance(0.5)) {
      bytes = encode(m);
    }
    const bool v6 = rng.chance(0.5);
    const auto outcome = ask(responder, bytes, v6 ? kClient6 : kClient, v6 ? kPrimary6 : kPrimary);
    if (!outcome.answer) continue;
    const std::size_t size = outcome.answer->bytes.size();
    REQUIRE(size <= StunResponder::kMaxAmplification * bytes.size());
    REQUIRE(decode(outcome.answer->bytes));
    Worst& w = worst[v6 ? 1 : 0];
    double& factor = outcome.result == StunResult::success ? w.success : w.unsupported;
    factor = std::max(factor, static_cast<double>(size) / static_cast<double>(bytes.size()));
    w.bytes = std::max(w.bytes, size);
  }
  // What docs/rfc-deviations.md says.
  CHECK(worst[0].success == 44.0 / 20);
  CHECK(worst[1].success == 92.0 / 32);
  CHECK(worst[0].unsupported == 36.0 / 24);
  CHECK(worst[1].unsupported == 36.0 / 24);
  CHECK(worst[0].bytes == 64);
  CHECK(worst[1].bytes == 100);
}

TEST_CASE("attributes are left out where they would make too much of a small question") {
  StunResponder responder{discovering()};
  const auto answer = [&](ByteView bytes, bool v6) {
    const auto outcome = ask(responder, bytes, v6 ? kClient6 : kClient, v6 ? kPrimary6 : kPrimary);
    const Message m = decode(outcome.answer.value().bytes).value().message;
    return std::tuple{outcome.answer->bytes.size(), m.other_address.has_value(), m.response_origin.has_value()};
  };
  const Buffer fingerprint = encode(binding());
  const Buffer change = plain(binding(ChangeRequest{true, true}));
  const Buffer change_fingerprint = encode(binding(ChangeRequest{true, true}));
  Message talkative = binding();
  talkative.software = std::string(100, 's');
  const Buffer large = plain(talkative);
  talkative.software = std::string(32, 's');
  const Buffer just_large_enough = plain(talkative);
  CHECK(answer(kPlain, false) == std::tuple{44U, true, false});
  CHECK(answer(kPlain, true) == std::tuple{44U, false, false});  // with OTHER-ADDRESS: 68 bytes
  CHECK(answer(fingerprint, false) == std::tuple{52U, true, false});
  CHECK(answer(fingerprint, true) == std::tuple{76U, true, false});
  CHECK(answer(change, false) == std::tuple{56U, true, true});
  CHECK(answer(change, true) == std::tuple{68U, true, false});  // with RESPONSE-ORIGIN: 92 bytes
  CHECK(answer(change_fingerprint, false) == std::tuple{64U, true, true});
  CHECK(answer(change_fingerprint, true) == std::tuple{100U, true, true});
  CHECK(answer(just_large_enough, false) == std::tuple{just_large_enough.size(), true, true});
  CHECK(answer(large, false) == std::tuple{56U, true, true});
  CHECK(answer(large, true) == std::tuple{92U, true, true});
}

TEST_CASE("a network is answered so often, whichever of its addresses asks and whatever") {
  StunResponder responder{{}};
  const Buffer unknown = with({0x00, 0x26, 0, 0});
  const auto answers = [&](std::string_view prefix, std::string_view end, Instant now) {
    int n = 0;
    for (int i = 0; i < 200; ++i) {
      const auto client = at(std::string{prefix} + std::to_string(i % 10) + std::string{end});
      const auto outcome = ask(responder, i % 2 == 0 ? kPlain : unknown, client, kPrimary, now);
      CHECK(outcome.answer.has_value() == (outcome.result != StunResult::rate_limited));
      n += outcome.answer ? 1 : 0;
    }
    return n;
  };
  CHECK(answers("198.51.100.", ":5000", kStart) == 100);
  CHECK(answers("198.51.100.", ":6000", kStart) == 0);
  CHECK(answers("198.51.101.", ":5000", kStart) == 100);
  CHECK(answers("198.51.100.", ":5000", kStart + 2s) == 40);
  CHECK(answers("[2001:db8:1:", "::1]:5000", kStart + 2s) == 100);
  CHECK(answers("[2001:db8:1:", "::2]:5000", kStart + 2s) == 0);
  CHECK(answers("[2001:db8:2:", "::1]:5000", kStart + 2s) == 100);
}

TEST_CASE("all together are answered so often, from however many networks") {
  StunResponder responder{{}};
  const auto answers = [&](Instant now, int from) {
    int n = 0;
    for (int i = from; i < from + 3000; ++i) {
      const auto byte = [&](int shift) { return static_cast<std::uint8_t>(i >> shift); };
      const SocketAddress client{IpAddress::v4({10, byte(8), byte(0), 1}), 5000};
      n += ask(responder, kPlain, client, kPrimary, now).answer ? 1 : 0;
    }
    return n;
  };
  CHECK(answers(kStart, 0) == 1000);
  CHECK(answers(kStart + 500ms, 3000) == 500);
}

TEST_CASE("a flood from forged networks wins nobody more answers, and costs few others theirs") {
  StunResponderOptions options;
  options.total = options.total_burst = 1e9;
  StunResponder responder{options};
  for (int i = 0; i < 200; ++i) ask(responder, kPlain);
  std::array<std::uint8_t, 16> bytes{0x20, 0x01};
  for (int i = 0; i < 100000; ++i) {
    bytes[3] = static_cast<std::uint8_t>(i >> 16);
    bytes[4] = static_cast<std::uint8_t>(i >> 8);
    bytes[5] = static_cast<std::uint8_t>(i);
    ask(responder, kPlain, {IpAddress::v6(bytes), 5000}, kPrimary6);
  }
  CHECK(ask(responder, kPlain).result == StunResult::rate_limited);

  // One network that takes all it can get: hardly anybody has his bucket.
  StunResponder other{options};
  for (int i = 0; i < 200; ++i) ask(other, kPlain);
  int served = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto byte = [&](int shift) { return static_cast<std::uint8_t>(i >> shift); };
    const SocketAddress client{IpAddress::v4({203, byte(8), byte(0), 1}), 5000};
    served += ask(other, kPlain, client).answer ? 1 : 0;
  }
  CHECK(served >= 998);
}
