#include <algorithm>

#include "base/digest.hpp"
#include "wire/stun_format.hpp"

namespace pw::wire::stun {
namespace {

struct Piece {
  std::uint16_t type = 0;
  std::size_t begins = 0;  // in the datagram
  ByteView value;
};

/// Cuts what follows the header into attributes.
class AttributeReader {
 public:
  explicit AttributeReader(ByteView datagram) : size_{datagram.size()}, in_{datagram.subspan(kHeader)} {}
  /// Nothing at the end, and nothing more once an attribute ran past it.
  std::optional<Piece> next() {
    if (in_.remaining() == 0) return std::nullopt;
    Piece piece;
    piece.begins = size_ - in_.remaining();
    piece.type = in_.u16();
    const std::size_t size = in_.u16();
    piece.value = in_.bytes(size);
    in_.bytes(padding_of(size));
    if (!in_.ok()) return std::nullopt;
    return piece;
  }
  bool ok() const { return in_.ok(); }

 private:
  std::size_t size_;
  ByteReader in_;
};

tl::unexpected<Error> wrong_size(const char* name, ByteView value) {
  return fail(std::string{"a "} + name + " of " + std::to_string(value.size()) + " bytes");
}

Result<SocketAddress> read_address(ByteView value) {
  ByteReader in{value};
  in.u8();  // "MUST be ignored by receivers"
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

Result<std::uint32_t> read_u32(const char* name, ByteView value) {
  if (value.size() != 4) return wrong_size(name, value);
  return ByteReader{value}.u32();
}

/// Cut to kMaxText bytes, between characters of UTF-8.
std::string read_text(ByteView value) {
  const std::string_view text = as_text(value);
  if (text.size() <= kMaxText) return std::string{text};
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  std::size_t end = kMaxText;
  while (end > kMaxText - 3 && continues(end)) --end;
  return std::string{text.substr(0, end)};
}

Result<ErrorCode> read_error(ByteView value) {
  ByteReader in{value};
  in.u16();  // reserved
  const int hundreds = in.u8() & 7;
  const int rest = in.u8();
  if (!in.ok() || hundreds < 3 || hundreds > 6 || rest > 99) return fail("an ERROR-CODE out of range");
  return ErrorCode{hundreds * 100 + rest, read_text(in.rest())};
}

Result<std::string> read_username(ByteView value) {
  if (value.size() > kMaxUsername) return wrong_size("USERNAME", value);
  return std::string{as_text(value)};
}

Result<std::vector<std::uint16_t>> read_types(ByteView value) {
  if (value.size() % 2 != 0) return fail("half a type in UNKNOWN-ATTRIBUTES");
  std::vector<std::uint16_t> out;
  for (ByteReader in{value}; in.remaining() > 0 && out.size() < kMaxTypes;) out.push_back(in.u16());
  return out;
}

template <class Frame>
Result<Frame> read_frame(const char* name, ByteView value) {
  const auto frame = decode_probe(value);
  if (!frame || !std::holds_alternative<Frame>(*frame)) return fail(std::string{"a malformed "} + name);
  return std::get<Frame>(*frame);
}

/// Collects attributes; of one that is there twice the first counts (section 14), but none may be malformed.
class Collector {
 public:
  explicit Collector(Decoded& out) : out_{out}, m_{out.message} {}

  Status take(const Piece& a) {
    switch (a.type) {
      case kMappedAddress: return keep(plain_, read_address(a.value));
      case kXorMappedAddress: return keep(m_.mapped, read_address(a.value));
      case kResponseOrigin: return keep(m_.response_origin, read_address(a.value));
      case kOtherAddress: return keep(m_.other_address, read_address(a.value));
      case kChangeRequestType:
        return keep(m_.change, read_u32("CHANGE-REQUEST", a.value).map([](std::uint32_t flags) {
          return ChangeRequest{(flags & 4) != 0, (flags & 2) != 0};
        }));
      case kUsername: return keep(m_.username, read_username(a.value));
      case kSoftware: return keep(m_.software, Result<std::string>{read_text(a.value)});
      case kErrorCode: return keep(m_.error, read_error(a.value));
      case kUnknownAttributes: return keep(unknown_, read_types(a.value));
      case kPriority: return keep(m_.priority, read_u32("PRIORITY", a.value));
      case kProbe: return keep(m_.probe, read_frame<ProbeFrame>("probe", a.value));
      case kReceipt: return keep(m_.receipt, read_frame<ReceiptFrame>("receipt", a.value));
      case kFill:
        return keep(fill_, Result<std::size_t>{kAttributeHeader + a.value.size() + padding_of(a.value.size())});
      case kPaddingType: out_.padding = true; return {};
      case kResponsePortType: out_.response_port = true; return {};
      default: not_understood(a.type); return {};
    }
  }

  void finish() {
    if (m_.mapped) m_.mapped = xored(*m_.mapped, m_.transaction);
    if (!m_.mapped) m_.mapped = plain_;
    if (unknown_) m_.unknown = std::move(*unknown_);
    m_.fill = fill_.value_or(0);
  }

 private:
  template <class T>
  static Status keep(std::optional<T>& into, Result<T> value) {
    if (!value) return tl::unexpected(std::move(value).error());
    if (!into) into = std::move(*value);
    return {};
  }
  void not_understood(std::uint16_t type) {
    auto& list = out_.not_understood;
    if (type >= kFirstOptional || list.size() == kMaxTypes) return;
    if (std::find(list.begin(), list.end(), type) == list.end()) list.push_back(type);
  }

  Decoded& out_;
  Message& m_;
  std::optional<SocketAddress> plain_;
  std::optional<std::vector<std::uint16_t>> unknown_;
  std::optional<std::size_t> fill_;
};

Status read_header(ByteView datagram, Message& m) {
  if (datagram.size() < kHeader) return fail("shorter than a STUN header");
  ByteReader in{datagram};
  const unsigned type = in.u16();
  const std::size_t length = in.u16();
  if ((type & 0xc000) != 0) return fail("not STUN: the first two bits");
  if (in.u32() != kMagicCookie) return fail("not STUN: the magic cookie");
  if (length % 4 != 0) return fail("a length that is not a multiple of 4");
  if (length != datagram.size() - kHeader) return fail("a length that is not the datagram's");
  m.kind = static_cast<Class>((type >> 4 & 1) | (type >> 7 & 2));
  m.method = static_cast<std::uint16_t>((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
  const ByteView id = in.bytes(m.transaction.size());
  std::copy(id.begin(), id.end(), m.transaction.begin());
  return {};
}

/// "…MUST ignore all other attributes that follow" (sections 14.5, 14.6).
bool counts_after(Integrity integrity, std::uint16_t type) {
  switch (integrity) {
    case Integrity::none: return true;
    case Integrity::sha1: return type == kMessageIntegritySha256;
    case Integrity::sha256: return false;
  }
  return false;
}

Status take_integrity(Decoded& out, Integrity kind, const char* name, ByteView value) {
  if (value.size() != integrity_size(kind)) return wrong_size(name, value);
  out.integrity = kind;
  return {};
}

}  // namespace

Result<Decoded> decode(ByteView datagram) {
  Decoded out;
  if (auto header = read_header(datagram, out.message); !header) return tl::unexpected(header.error());
  Collector collector{out};
  AttributeReader attributes{datagram};
  while (const auto a = attributes.next()) {
    if (out.fingerprint) return fail("something after the FINGERPRINT");
    Status taken;
    if (a->type == kFingerprint) {
      if (a->value.size() != 4 || ByteReader{a->value}.u32() != fingerprint_of(datagram.first(a->begins)))
        return fail("a FINGERPRINT that does not fit");
      out.fingerprint = true;
    } else if (!counts_after(out.integrity, a->type)) {
      continue;
    } else if (a->type == kMessageIntegrity) {
      taken = take_integrity(out, Integrity::sha1, "MESSAGE-INTEGRITY", a->value);
    } else if (a->type == kMessageIntegritySha256) {
      taken = take_integrity(out, Integrity::sha256, "MESSAGE-INTEGRITY-SHA256", a->value);
    } else {
      taken = collector.take(*a);
    }
    if (!taken) return tl::unexpected(taken.error());
  }
  if (!attributes.ok()) return fail("an attribute that runs past the end");
  collector.finish();
  if (out.message.kind == Class::error && !out.message.error) return fail("an error response without its ERROR-CODE");
  return out;
}

bool verify(ByteView datagram, Integrity integrity, ByteView key) {
  if (integrity == Integrity::none || key.empty()) return false;
  if (datagram.size() < kHeader || datagram.size() > kHeader + 0xffff) return false;
  const std::uint16_t wanted = integrity == Integrity::sha1 ? kMessageIntegrity : kMessageIntegritySha256;
  AttributeReader attributes{datagram};
  while (const auto a = attributes.next()) {
    if (a->type != wanted) {
      if (a->type == kMessageIntegritySha256) return false;  // what follows it counts for nothing
      continue;
    }
    const ByteView covered = datagram.first(a->begins);
    return equal_secret(a->value, integrity_of({covered.begin(), covered.end()}, integrity, key));
  }
  return false;
}

}  // namespace pw::wire::stun
