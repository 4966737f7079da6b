// STUN messages (RFC 8489), with the attributes of behaviour discovery (RFC 5780) and our own for connectivity checks.
//
// Encoding order is fixed: what integrity covers, integrity, FINGERPRINT last (sections 14.5 to 14.7). Decoding takes
// what is well-formed; integrity is judged by whoever has the key. Attributes after the integrity attribute are ignored,
// FINGERPRINT excepted, and MESSAGE-INTEGRITY-SHA256 after MESSAGE-INTEGRITY. Of an attribute that is there twice the
// first counts. PADDING and RESPONSE-PORT (RFC 5780) are recognised only to be refused.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/probe_frame.hpp"

namespace pw::wire::stun {

enum class Class : std::uint8_t { request, indication, success, error };

inline constexpr std::uint16_t kBinding = 1;
using TransactionId = std::array<std::uint8_t, 12>;

/// Attributes that others name too, in the UNKNOWN-ATTRIBUTES of a 420.
inline constexpr std::uint16_t kChangeRequestType = 0x0003;
inline constexpr std::uint16_t kPaddingType = 0x0026;
inline constexpr std::uint16_t kResponsePortType = 0x0027;

inline constexpr std::size_t kMaxUsername = 508;  // bytes: "less than 509" (section 14.3)
inline constexpr std::size_t kMaxText = 128;      // bytes of a SOFTWARE or reason phrase that are worth keeping
inline constexpr std::size_t kMaxTypes = 16;      // of a list of attributes: no honest message has more

/// RFC 5780 section 7.2.
struct ChangeRequest {
  bool ip = false;
  bool port = false;
  bool operator==(const ChangeRequest&) const = default;
};
/// RFC 8489 section 14.8: 300 … 699.
struct ErrorCode {
  int code = 0;
  std::string reason;  // as `software`
  bool operator==(const ErrorCode&) const = default;
};

struct Message {
  Class kind = Class::request;
  std::uint16_t method = kBinding;
  TransactionId transaction{};

  std::optional<SocketAddress> mapped;  // XOR-MAPPED-ADDRESS; when decoded, MAPPED-ADDRESS where only that came
  std::optional<SocketAddress> response_origin;
  std::optional<SocketAddress> other_address;
  std::optional<ChangeRequest> change;
  std::optional<std::string> username;
  std::optional<std::string> software;  // at most kMaxText bytes, to which a longer one is cut when decoded
  std::optional<ErrorCode> error;
  std::vector<std::uint16_t> unknown;   // UNKNOWN-ATTRIBUTES of a 420: the first kMaxTypes
  std::optional<std::uint32_t> priority;

  // Ours, from the comprehension-optional range, only ever sent between peers who share a key:
  std::optional<ProbeFrame> probe;      // 0xC0F0: this check is also a probe; the value is its frame
  std::optional<ReceiptFrame> receipt;  // 0xC0F1: and this its receipt
  std::size_t fill = 0;                 // 0xC0F2: so many bytes (a multiple of 4, its header included) of nothing

  bool operator==(const Message&) const = default;
};

/// How a message is protected. `sha1`: MESSAGE-INTEGRITY (20 bytes), `sha256`: MESSAGE-INTEGRITY-SHA256 (32 bytes).
enum class Integrity : std::uint8_t { none, sha1, sha256 };

/// Without it only where an answer has to be small: it tells STUN from what else uses a port (section 7).
enum class Fingerprint : std::uint8_t { without, with };

/// A message must keep the limits above; `key` may not be empty where integrity is asked for.
Buffer encode(const Message& message, Integrity integrity = Integrity::none, ByteView key = {},
              Fingerprint fingerprint = Fingerprint::with);
/// Sets `fill` so that the whole message has `size` bytes (a multiple of 4), or as many as it needs if that is more.
Buffer encode_padded(Message message, std::size_t size, Integrity integrity, ByteView key);

struct Decoded {
  Message message;
  /// Comprehension-required ones (below 0x8000) that nobody here knows: the first kMaxTypes, each once.
  std::vector<std::uint16_t> not_understood;
  bool padding = false;  // RFC 5780 attributes that are refused
  bool response_port = false;
  bool fingerprint = false;               // there, and right (a wrong one is an error)
  Integrity integrity = Integrity::none;  // the strongest that is there; not yet judged
};

/// The error names what is wrong. Never reads beyond `datagram`; linear in its size.
Result<Decoded> decode(ByteView datagram);
/// Whether the datagram, decoded before, carries that integrity and it was made with that key. What decode() took into
/// the message is covered by it. Never with an empty key.
bool verify(ByteView datagram, Integrity integrity, ByteView key);

}  // namespace pw::wire::stun
