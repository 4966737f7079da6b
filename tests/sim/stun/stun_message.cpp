#include "sim/stun/stun_message.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::net {
namespace {

constexpr std::uint32_t kMagicCookie = 0x2112A442;
constexpr std::size_t kHeader = 20;
constexpr std::uint32_t kFingerprintXor = 0x5354554e;  // RFC 8489 section 14.7
constexpr std::size_t kFingerprintSize = 8;
constexpr std::uint16_t kBinding = 0x0001;

enum Attribute : std::uint16_t {
  kMappedAddress = 0x0001,
  kChangeRequest = 0x0003,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000A,
  kXorMappedAddress = 0x0020,
  kResponsePort = 0x0027,
  kFirstOptional = 0x8000,  // from here on an attribute that is not understood is ignored
  kSoftware = 0x8022,
  kFingerprint = 0x8028,
  kResponseOrigin = 0x802b,
  kOtherAddress = 0x802c
};

/// CRC-32 of ITU V.42, as RFC 8489 section 14.7 wants it.
std::uint32_t crc32(ByteView bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t b : bytes) {
    crc ^= b;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

/// The class bits C1 and C0 lie at 8 and 4 of the type (RFC 8489 section 5).
std::uint16_t type_of(StunMessage::Class kind) {
  const auto c = static_cast<unsigned>(kind);
  return static_cast<std::uint16_t>(kBinding | (c & 1) << 4 | (c >> 1) << 8);
}

/// An address xored with the cookie and the transaction, or back: the same either way (section 14.2).
SocketAddress xored(const SocketAddress& address, const TransactionId& id) {
  std::array<std::uint8_t, 16> key{0x21, 0x12, 0xA4, 0x42};
  std::copy(id.begin(), id.end(), key.begin() + 4);
  const ByteView in = address.ip.bytes();
  for (std::size_t i = 0; i < in.size(); ++i) key[i] ^= in[i];
  const auto port = static_cast<std::uint16_t>(address.port ^ (kMagicCookie >> 16));
  if (address.ip.family() == Family::v6) return {IpAddress::v6(key), port};
  return {IpAddress::v4({key[0], key[1], key[2], key[3]}), port};
}

class Encoder {
 public:
  explicit Encoder(Buffer& out) : writer_{out} {}

  void attribute(std::uint16_t type, ByteView value) {
    writer_.u16(type);
    writer_.u16(static_cast<std::uint16_t>(value.size()));
    writer_.bytes(value);
    writer_.zeros((4 - value.size() % 4) % 4);
  }
  void address(std::uint16_t type, const std::optional<SocketAddress>& address) {
    if (!address) return;
    Buffer value;
    ByteWriter w{value};
    w.u8(0);
    w.u8(address->ip.family() == Family::v4 ? 1 : 2);
    w.u16(address->port);
    w.bytes(address->ip.bytes());
    attribute(type, value);
  }

 private:
  ByteWriter writer_;
};

Result<SocketAddress> read_address(ByteView value) {
  ByteReader in{value};
  in.u8();  // "ignored by receivers"
  const std::uint8_t family = in.u8();
  SocketAddress out;
  out.port = in.u16();
  const ByteView ip = in.rest();
  if (family == 1 && ip.size() == 4) {
    out.ip = IpAddress::v4({ip[0], ip[1], ip[2], ip[3]});
  } else if (family == 2 && ip.size() == 16) {
    std::array<std::uint8_t, 16> bytes{};
    std::copy(ip.begin(), ip.end(), bytes.begin());
    out.ip = IpAddress::v6(bytes);
  } else {
    return fail("an address of family " + std::to_string(family) + " in " + std::to_string(value.size()) + " bytes");
  }
  return out;
}

Result<StunError> read_error(ByteView value) {
  ByteReader in{value};
  in.u16();  // reserved
  const int hundreds = in.u8() & 7;
  const int rest = in.u8();
  if (!in.ok() || hundreds < 3 || hundreds > 6 || rest > 99) return fail("an ERROR-CODE out of range");
  return StunError{hundreds * 100 + rest, std::string{as_text(in.rest())}};
}

/// Decodes the value of one attribute into the message; what is there already stays.
Status take(StunMessage& m, std::uint16_t type, ByteView value) {
  const auto address = [&](std::optional<SocketAddress>& into) -> Status {
    const auto read = read_address(value);
    if (!read) return tl::unexpected(read.error());
    if (!into) into = type == kXorMappedAddress ? xored(*read, m.id) : *read;
    return {};
  };
  ByteReader in{value};
  switch (type) {
    case kMappedAddress: return address(m.mapped);
    case kXorMappedAddress: return address(m.xor_mapped);
    case kResponseOrigin: return address(m.response_origin);
    case kOtherAddress: return address(m.other_address);
    case kChangeRequest: {
      if (value.size() != 4) return fail("a CHANGE-REQUEST of " + std::to_string(value.size()) + " bytes");
      const std::uint32_t flags = in.u32();
      if (!m.change) m.change = ChangeRequest{(flags & 4) != 0, (flags & 2) != 0};
      return {};
    }
    case kResponsePort: {  // "followed by 2 bytes of padding", which some count and some don't
      if (value.size() != 2 && value.size() != 4) return fail("a RESPONSE-PORT of the wrong size");
      if (!m.response_port) m.response_port = in.u16();
      return {};
    }
    case kErrorCode: {
      auto read = read_error(value);
      if (!read) return tl::unexpected(read.error());
      if (!m.error) m.error = std::move(*read);
      return {};
    }
    case kUnknownAttributes: {
      if (value.size() % 2 != 0) return fail("half a type in UNKNOWN-ATTRIBUTES");
      if (m.unknown_attributes.empty())
        while (in.remaining() > 0) m.unknown_attributes.push_back(in.u16());
      return {};
    }
    case kSoftware: {
      if (value.size() > StunMessage::kMaxSoftware) return fail("a SOFTWARE that is too long");
      if (m.software.empty()) m.software = as_text(value);
      return {};
    }
    default:
      if (type < kFirstOptional) m.not_understood.push_back(type);
      return {};
  }
}

}  // namespace

TransactionId new_transaction(Rng& rng) {
  TransactionId id{};
  rng.fill(id);
  return id;
}

Buffer encode(const StunMessage& m) {
  PW_CHECK(m.software.size() <= StunMessage::kMaxSoftware);
  Buffer out;
  ByteWriter header{out};
  header.u16(type_of(m.kind));
  header.u16(0);  // the length, below
  header.u32(kMagicCookie);
  header.bytes(m.id);

  Encoder attributes{out};
  if (m.error) {
    Buffer value;
    ByteWriter w{value};
    w.u16(0);
    w.u8(static_cast<std::uint8_t>(m.error->code / 100));
    w.u8(static_cast<std::uint8_t>(m.error->code % 100));
    w.bytes(as_bytes(m.error->reason));
    attributes.attribute(kErrorCode, value);
  }
  if (!m.unknown_attributes.empty()) {
    Buffer value;
    ByteWriter w{value};
    for (const std::uint16_t type : m.unknown_attributes) w.u16(type);
    attributes.attribute(kUnknownAttributes, value);
  }
  if (m.change) {
    const auto flags = static_cast<std::uint8_t>((m.change->ip ? 4 : 0) | (m.change->port ? 2 : 0));
    attributes.attribute(kChangeRequest, std::array<std::uint8_t, 4>{0, 0, 0, flags});
  }
  if (m.response_port) {
    const std::uint16_t port = *m.response_port;
    attributes.attribute(kResponsePort, std::array<std::uint8_t, 4>{static_cast<std::uint8_t>(port >> 8),
                                                                    static_cast<std::uint8_t>(port & 0xff), 0, 0});
  }
  attributes.address(kMappedAddress, m.mapped);
  attributes.address(kXorMappedAddress,
                     m.xor_mapped ? std::optional{xored(*m.xor_mapped, m.id)} : std::optional<SocketAddress>{});
  attributes.address(kResponseOrigin, m.response_origin);
  attributes.address(kOtherAddress, m.other_address);
  if (!m.software.empty()) attributes.attribute(kSoftware, as_bytes(m.software));

  // "…the length … includes the FINGERPRINT attribute" (section 14.7), and so does what the sum is taken over.
  const std::size_t length = out.size() - kHeader + (m.fingerprint ? kFingerprintSize : 0);
  out[2] = static_cast<std::uint8_t>(length >> 8);
  out[3] = static_cast<std::uint8_t>(length & 0xff);
  if (m.fingerprint) {
    const std::uint32_t sum = crc32(out) ^ kFingerprintXor;
    Buffer value;
    ByteWriter{value}.u32(sum);
    attributes.attribute(kFingerprint, value);
  }
  return out;
}

Result<StunMessage> decode_stun(ByteView datagram) {
  if (datagram.size() < kHeader) return fail("shorter than a header");
  ByteReader in{datagram};
  const std::uint16_t type = in.u16();
  const std::size_t length = in.u16();
  if ((type & 0xc000) != 0 || in.u32() != kMagicCookie) return fail("not STUN");
  if (length % 4 != 0 || length != datagram.size() - kHeader) return fail("a length that is not the datagram's");
  if ((type & 0x3eef) != kBinding) return fail("a method other than Binding");
  StunMessage m;
  m.kind = static_cast<StunMessage::Class>((type >> 4 & 1) | (type >> 7 & 2));
  const ByteView id = in.bytes(m.id.size());
  std::copy(id.begin(), id.end(), m.id.begin());

  while (in.remaining() > 0) {
    if (m.fingerprint) return fail("something after the FINGERPRINT");
    const std::size_t begins = datagram.size() - in.remaining();
    const std::uint16_t attribute = in.u16();
    const std::size_t size = in.u16();
    const ByteView value = in.bytes(size);
    in.bytes((4 - size % 4) % 4);
    if (!in.ok()) return fail("an attribute that runs past the end");
    if (attribute == kFingerprint) {
      if (size != 4 || ByteReader{value}.u32() != (crc32(datagram.first(begins)) ^ kFingerprintXor))
        return fail("a FINGERPRINT that does not fit");
      m.fingerprint = true;
    } else if (const auto taken = take(m, attribute, value); !taken) {
      return tl::unexpected(taken.error());
    }
  }
  if (m.kind == StunMessage::Class::error && !m.error) return fail("an error response without its ERROR-CODE");
  return m;
}

}  // namespace pw::net
