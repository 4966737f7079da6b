// What encoding and decoding STUN share: numbers, FINGERPRINT's sum, XOR-MAPPED-ADDRESS. Included by stun_*.cpp only.
#pragma once

#include <array>
#include <cstdint>

#include "wire/stun.hpp"

namespace pw::wire::stun {

inline constexpr std::uint32_t kMagicCookie = 0x2112A442;
inline constexpr std::size_t kHeader = 20;
inline constexpr std::size_t kAttributeHeader = 4;

enum Attribute : std::uint16_t {
  kMappedAddress = 0x0001,
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000A,
  kMessageIntegritySha256 = 0x001C,
  kXorMappedAddress = 0x0020,
  kPriority = 0x0024,
  kFirstOptional = 0x8000,  // from here on an attribute that is not understood is ignored
  kSoftware = 0x8022,
  kFingerprint = 0x8028,
  kResponseOrigin = 0x802B,
  kOtherAddress = 0x802C,
  kProbe = 0xC0F0,
  kReceipt = 0xC0F1,
  kFill = 0xC0F2
};

constexpr std::size_t integrity_size(Integrity integrity) {
  switch (integrity) {
    case Integrity::none: return 0;
    case Integrity::sha1: return 20;
    case Integrity::sha256: return 32;
  }
  return 0;
}

constexpr std::size_t padding_of(std::size_t size) { return (4 - size % 4) % 4; }

/// "The length … does not include the 20-byte STUN header" (section 5).
void set_length(Buffer& message, std::size_t length);
/// The value of an integrity attribute behind `covered`, whose length becomes that of a message that ends with it
/// (sections 14.5, 14.6). Empty for Integrity::none.
Buffer integrity_of(Buffer covered, Integrity integrity, ByteView key);
/// The value of a FINGERPRINT behind `covered`, whose length includes it (section 14.7).
std::uint32_t fingerprint_of(ByteView covered);
/// An address xored with the cookie and the transaction, or back: the same either way (section 14.2).
SocketAddress xored(const SocketAddress& address, const TransactionId& transaction);

}  // namespace pw::wire::stun
