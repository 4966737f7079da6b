// STUN from strangers. Whatever is accepted has one meaning: encoding it and reading that again gives the same. Judging
// integrity never does more than fail, whatever the bytes are.
// Input: one datagram.
#include <cstdint>

#include "base/check.hpp"
#include "wire/demux.hpp"
#include "wire/stun.hpp"

using namespace pw;
namespace stun = pw::wire::stun;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView datagram{data, size};
  const ByteView key = as_bytes("VOkJxbRl1RmTxUk/WvJxBt");  // of the corpus' vectors
  const bool sha1 = stun::verify(datagram, stun::Integrity::sha1, key);
  const bool sha256 = stun::verify(datagram, stun::Integrity::sha256, key);
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
