#include <algorithm>

#include "base/check.hpp"
#include "base/digest.hpp"
#include "wire/stun_format.hpp"

namespace pw::wire::stun {
namespace {

constexpr std::size_t kFingerprintSize = kAttributeHeader + 4;

/// CRC-32 of ITU V.42, as section 14.7 wants it, a byte at a time.
constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
    table[i] = crc;
  }
  return table;
}();

/// The method's twelve bits lie around the class's two (section 5, figure 3).
std::uint16_t type_of(Class kind, std::uint16_t method) {
  const unsigned c = static_cast<unsigned>(kind);
  const unsigned m = method;
  return static_cast<std::uint16_t>((m & 0xf) | (m & 0x70) << 1 | (m & 0xf80) << 2 | (c & 1) << 4 | (c & 2) << 7);
}

class AttributeWriter {
 public:
  explicit AttributeWriter(Buffer& out) : writer_{out} {}

  void bytes(std::uint16_t type, ByteView value) {
    head(type, value.size());
    writer_.bytes(value);
    writer_.zeros(padding_of(value.size()));
  }
  void u32(std::uint16_t type, std::uint32_t value) {
    head(type, 4);
    writer_.u32(value);
  }
  void address(std::uint16_t type, const SocketAddress& address) {
    const ByteView ip = address.ip.bytes();
    head(type, 4 + ip.size());
    writer_.u8(0);
    writer_.u8(address.ip.family() == Family::v4 ? 1 : 2);
    writer_.u16(address.port);
    writer_.bytes(ip);
  }
  void error(const ErrorCode& error) {
    PW_CHECK(error.code >= 300 && error.code <= 699 && error.reason.size() <= kMaxText);
    head(kErrorCode, 4 + error.reason.size());
    writer_.u16(0);
    writer_.u8(static_cast<std::uint8_t>(error.code / 100));
    writer_.u8(static_cast<std::uint8_t>(error.code % 100));
    writer_.bytes(as_bytes(error.reason));
    writer_.zeros(padding_of(error.reason.size()));
  }
  void types(std::uint16_t type, const std::vector<std::uint16_t>& types) {
    PW_CHECK(types.size() <= kMaxTypes);
    head(type, 2 * types.size());
    for (const std::uint16_t t : types) writer_.u16(t);
    writer_.zeros(padding_of(2 * types.size()));
  }
  /// `size` bytes of nothing, with the attribute's header.
  void fill(std::size_t size) {
    head(kFill, size - kAttributeHeader);
    writer_.zeros(size - kAttributeHeader);
  }

 private:
  void head(std::uint16_t type, std::size_t size) {
    PW_CHECK(size <= 0xffff);
    writer_.u16(type);
    writer_.u16(static_cast<std::uint16_t>(size));
  }
  ByteWriter writer_;
};

/// Everything but `fill`, integrity and FINGERPRINT.
Buffer begin(const Message& m) {
  PW_CHECK(m.method <= 0xfff);
  Buffer out;
  ByteWriter header{out};
  header.u16(type_of(m.kind, m.method));
  header.u16(0);  // the length, when it is known
  header.u32(kMagicCookie);
  header.bytes(m.transaction);

  AttributeWriter w{out};
  if (m.error) w.error(*m.error);
  if (!m.unknown.empty()) w.types(kUnknownAttributes, m.unknown);
  if (m.mapped) w.address(kXorMappedAddress, xored(*m.mapped, m.transaction));
  if (m.response_origin) w.address(kResponseOrigin, *m.response_origin);
  if (m.other_address) w.address(kOtherAddress, *m.other_address);
  if (m.change) w.u32(kChangeRequestType, (m.change->ip ? 4U : 0U) | (m.change->port ? 2U : 0U));
  if (m.username) {
    PW_CHECK(m.username->size() <= kMaxUsername);
    w.bytes(kUsername, as_bytes(*m.username));
  }
  if (m.software) {
    PW_CHECK(m.software->size() <= kMaxText);
    w.bytes(kSoftware, as_bytes(*m.software));
  }
  if (m.priority) w.u32(kPriority, *m.priority);
  if (m.probe) w.bytes(kProbe, wire::encode(*m.probe));
  if (m.receipt) w.bytes(kReceipt, wire::encode(*m.receipt));
  return out;
}

/// What follows `fill`.
std::size_t tail_size(Integrity integrity, Fingerprint fingerprint) {
  return (integrity == Integrity::none ? 0 : kAttributeHeader + integrity_size(integrity)) +
         (fingerprint == Fingerprint::with ? kFingerprintSize : 0);
}

Buffer finish(Buffer out, std::size_t fill, Integrity integrity, ByteView key, Fingerprint fingerprint) {
  AttributeWriter w{out};
  PW_CHECK(fill % 4 == 0);
  if (fill > 0) w.fill(fill);
  if (integrity != Integrity::none) {
    PW_CHECK(!key.empty());
    w.bytes(integrity == Integrity::sha1 ? kMessageIntegrity : kMessageIntegritySha256,
            integrity_of(out, integrity, key));
  }
  set_length(out, out.size() - kHeader + tail_size(Integrity::none, fingerprint));
  if (fingerprint == Fingerprint::with) w.u32(kFingerprint, fingerprint_of(out));
  return out;
}

}  // namespace

void set_length(Buffer& message, std::size_t length) {
  PW_CHECK(message.size() >= kHeader && length <= 0xffff);
  message[2] = static_cast<std::uint8_t>(length >> 8);
  message[3] = static_cast<std::uint8_t>(length & 0xff);
}

Buffer integrity_of(Buffer covered, Integrity integrity, ByteView key) {
  set_length(covered, covered.size() - kHeader + kAttributeHeader + integrity_size(integrity));
  switch (integrity) {
    case Integrity::none: break;
    case Integrity::sha1: {
      const auto mac = hmac_sha1(key, covered);
      return {mac.begin(), mac.end()};
    }
    case Integrity::sha256: {
      const auto mac = hmac_sha256(key, covered);
      return {mac.begin(), mac.end()};
    }
  }
  return {};
}

std::uint32_t fingerprint_of(ByteView covered) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t b : covered) crc = (crc >> 8) ^ kCrcTable[(crc ^ b) & 0xff];
  return ~crc ^ 0x5354554eU;
}

SocketAddress xored(const SocketAddress& address, const TransactionId& transaction) {
  std::array<std::uint8_t, 16> key{0x21, 0x12, 0xA4, 0x42};
  std::copy(transaction.begin(), transaction.end(), key.begin() + 4);
  const ByteView in = address.ip.bytes();
  for (std::size_t i = 0; i < in.size(); ++i) key[i] ^= in[i];
  const auto port = static_cast<std::uint16_t>(address.port ^ (kMagicCookie >> 16));
  if (address.ip.family() == Family::v6) return {IpAddress::v6(key), port};
  return {IpAddress::v4({key[0], key[1], key[2], key[3]}), port};
}

Buffer encode(const Message& message, Integrity integrity, ByteView key, Fingerprint fingerprint) {
  return finish(begin(message), message.fill, integrity, key, fingerprint);
}

Buffer encode_padded(Message message, std::size_t size, Integrity integrity, ByteView key) {
  PW_CHECK(size % 4 == 0);
  Buffer begun = begin(message);
  const std::size_t need = begun.size() + tail_size(integrity, Fingerprint::with);
  return finish(std::move(begun), size > need ? size - need : 0, integrity, key, Fingerprint::with);
}

}  // namespace pw::wire::stun
