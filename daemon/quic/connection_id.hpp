// Connection IDs (RFC 9000 section 5.1), stateless reset tokens (section 10.3) and addresses as keys of tables. Who
// chooses them may be an adversary: hashes are keyed, so that nobody can aim at one bucket, or learn a token from the
// time a look-up takes.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <variant>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/peer_id.hpp"

namespace pw::quic {

/// Of the IDs that we choose: short headers carry no length, so it is the same for all. Six bytes and not eight: with
/// them a packet of 1200 bytes fits whole into a connection to a relay (docs/adr/0009).
inline constexpr std::uint8_t kConnectionIdSize = 6;
/// A dialler's name for an acceptor that it does not know yet (RFC 9000 section 7.2: "at least 8 bytes in length").
inline constexpr std::uint8_t kFirstIdSize = NGTCP2_MIN_INITIAL_DCIDLEN;

struct ConnectionId {
  std::uint8_t size = 0;
  std::array<std::uint8_t, NGTCP2_MAX_CIDLEN> bytes{};

  ConnectionId() = default;
  /// At most NGTCP2_MAX_CIDLEN bytes.
  explicit ConnectionId(ByteView v) : size{static_cast<std::uint8_t>(v.size())} { std::ranges::copy(v, bytes.begin()); }
  explicit ConnectionId(const ngtcp2_cid& cid) : ConnectionId(ByteView{cid.data, cid.datalen}) {}
  ByteView view() const { return {bytes.data(), size}; }
  ngtcp2_cid native() const {
    ngtcp2_cid cid;
    ngtcp2_cid_init(&cid, bytes.data(), size);
    return cid;
  }
  bool operator==(const ConnectionId&) const = default;
};

struct ResetToken {
  std::array<std::uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN> bytes{};

  ResetToken() = default;
  explicit ResetToken(const std::uint8_t* token) { std::copy_n(token, bytes.size(), bytes.begin()); }
  bool operator==(const ResetToken& other) const { return equal_secret(bytes, other.bytes); }
};

/// Who new connections are counted against: an address or, through a relay, a peer by that relay's word.
struct RelayedPeer {
  PeerId relay;
  PeerId peer;
  bool operator==(const RelayedPeer&) const = default;
};
using Source = std::variant<IpAddress, RelayedPeer>;

struct KeyedHash {
  std::uint64_t key = 0;

  std::size_t operator()(const ConnectionId& id) const { return mix(id.view()); }
  std::size_t operator()(const ResetToken& token) const { return mix(token.bytes); }
  std::size_t operator()(const IpAddress& ip) const { return mix(ip.bytes()); }
  std::size_t operator()(const PeerId& id) const { return mix(id.key()); }
  std::size_t operator()(const RelayedPeer& p) const { return mix(p.peer.key()) * 31 + mix(p.relay.key()); }
  std::size_t operator()(const Source& s) const { return std::visit(*this, s); }

 private:
  std::size_t mix(ByteView v) const {
    std::uint64_t h = key ^ v.size();
    while (!v.empty()) {
      std::uint64_t word = 0;
      const std::size_t n = std::min(v.size(), sizeof word);
      std::memcpy(&word, v.data(), n);
      h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
      h ^= h >> 29;
      h = h * 0xbf58476d1ce4e5b9ULL + key;
      h ^= h >> 32;
      v = v.subspan(n);
    }
    return static_cast<std::size_t>(h);
  }
};

}  // namespace pw::quic
