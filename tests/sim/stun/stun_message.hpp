// StunMessage: binding requests and responses of STUN (RFC 8489), with what behaviour discovery adds (RFC 5780). Only
// what a NAT's ground truth needs: no authentication, no other method.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/rng.hpp"

namespace pw::net {

using TransactionId = std::array<std::uint8_t, 12>;
TransactionId new_transaction(Rng& rng);

/// RFC 8489 section 14.8, with its reason phrase.
struct StunError {
  int code = 0;  // 300 … 699
  std::string reason;
  bool operator==(const StunError&) const = default;
};

/// RFC 5780 section 7.2: where the response is to come from, other than where the request went to.
struct ChangeRequest {
  bool ip = false;
  bool port = false;
  bool operator==(const ChangeRequest&) const = default;
};

struct StunMessage {
  enum class Class : std::uint8_t { request, indication, success, error };
  Class kind = Class::request;
  TransactionId id{};

  std::optional<SocketAddress> mapped;           // MAPPED-ADDRESS
  std::optional<SocketAddress> xor_mapped;       // XOR-MAPPED-ADDRESS
  std::optional<SocketAddress> response_origin;  // RFC 5780 section 7.3
  std::optional<SocketAddress> other_address;    // section 7.4
  std::optional<ChangeRequest> change;
  std::optional<std::uint16_t> response_port;    // section 7.5: the response goes to this port of the requester's address
  std::optional<StunError> error;
  std::vector<std::uint16_t> unknown_attributes;  // UNKNOWN-ATTRIBUTES, of a response with error 420
  std::string software;                           // at most kMaxSoftware bytes; empty: none
  bool fingerprint = false;  // encode: add one; decode: there was one, and it was right

  /// Attributes of a decoded message that must be understood (types below 0x8000) and are not, in order.
  std::vector<std::uint16_t> not_understood;

  static constexpr std::size_t kMaxSoftware = 763;  // RFC 8489 section 14.14

  bool operator==(const StunMessage&) const = default;
};

Buffer encode(const StunMessage& message);

/// Every byte of it must be accounted for: the length, each attribute's length and padding, sizes and families of
/// those that are known, a FINGERPRINT at the end only. An attribute that is there twice counts once, the first time
/// (RFC 8489 section 14). The error says what is wrong.
Result<StunMessage> decode_stun(ByteView datagram);

}  // namespace pw::net
