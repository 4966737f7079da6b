// STUN from strangers. Whatever is accepted has one meaning: encoding it and reading that again gives the same. Judging
// integrity never does more than fail, whatever the bytes are. What is answered is answered within bounds.
// Input: one datagram.
#include <array>
#include <cstdint>

#include "base/check.hpp"
#include "service/stun_responder.hpp"
#include "wire/demux.hpp"
#include "wire/stun.hpp"

using namespace pw;
namespace stun = pw::wire::stun;

namespace {

SocketAddress at(const char* text) { return SocketAddress::parse(text).value(); }

service::StunResponderOptions options() {
  service::StunResponderOptions options;
  options.behaviour_discovery = {{at("192.0.2.1:3478"), at("192.0.2.2:3479")},
                                 {at("[2001:db8::1]:3478"), at("[2001:db8::2]:3479")}};
  options.per_network_burst = options.total_burst = 1e9;
  return options;
}

struct Asked {
  SocketAddress own;
  SocketAddress client;
};

/// Asked at corners of RFC 5780, in both families, and elsewhere.
void answer(ByteView datagram) {
  static service::StunResponder responder{options()};
  static const std::array kAsked{Asked{at("192.0.2.2:3478"), at("198.51.100.1:1")},
                                 Asked{at("[2001:db8::1]:3479"), at("[2001:db8:7::7]:1")},
                                 Asked{at("192.0.2.1:9470"), at("198.51.100.1:1")}};
  for (const auto& [own, client] : kAsked) {
    const auto outcome = responder.answer(Instant{}, {own.ip, client}, own.port, datagram);
    if (!outcome.answer) continue;
    const Buffer& bytes = outcome.answer->bytes;
    PW_CHECK(bytes.size() <= service::StunResponder::kMaxAmplification * datagram.size() && bytes.size() <= 100);
    PW_CHECK(outcome.answer->to == client && stun::decode(bytes));
    PW_CHECK(responder.answer(Instant{}, {own.ip, client}, own.port, bytes).result == service::StunResult::ignored);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView datagram{data, size};
  const ByteView key = as_bytes("VOkJxbRl1RmTxUk/WvJxBt");  // of the corpus' vectors
  const bool sha1 = stun::verify(datagram, stun::Integrity::sha1, key);
  const bool sha256 = stun::verify(datagram, stun::Integrity::sha256, key);
  answer(datagram);
  const auto read = stun::decode(datagram);
  if (!read || size > wire::kMaxDatagram) return 0;
  // Methods above 0xff are well-formed, but no first byte of STUN's on a shared port (RFC 9443).
  PW_CHECK(wire::classify(datagram) == wire::DatagramKind::stun || read->message.method > 0xff);
  PW_CHECK((!sha1 && !sha256) || read->integrity != stun::Integrity::none);

  for (const stun::Integrity integrity : {stun::Integrity::none, stun::Integrity::sha1, stun::Integrity::sha256}) {
    const Buffer again = stun::encode(read->message, integrity, key);
    const auto reread = stun::decode(again);
    PW_CHECK(reread && reread->message == read->message && reread->not_understood.empty());
    PW_CHECK(reread->fingerprint && reread->integrity == integrity);
    PW_CHECK(stun::verify(again, integrity, key) == (integrity != stun::Integrity::none));
    PW_CHECK(stun::encode(reread->message, integrity, key) == again);
  }
  return 0;
}
