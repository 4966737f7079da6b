// PeerRecord: what a peer says of itself to those who look for it: its home relays. Signed by its key, so that no
// bootstrap can make one up; numbered, so that an older one never replaces a newer; ending after its lifetime.
//
// The lifetime counts from the registration, by the clock of whoever keeps the record; there is no point in time inside.
// So nobody's clock needs to be right, and the core needs none. A registration comes from the record's own key alone (its
// connection proves it), so an old record can't be registered anew by others; a bootstrap that hands out old ones is
// caught by the number. Numbers have to grow over restarts: a node begins with the wall time of its start.
//
// Encoding, canonical (one value has one encoding): version 1, id 32, sequence 8, lifetime 4 (seconds), count 1, relays 32
// each, ascending; then the signature, 64, of kRecordLabel and all that stands before it. Big-endian.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/peer_id.hpp"
#include "base/result.hpp"
#include "base/signature.hpp"

namespace pw::wire {

inline constexpr std::string_view kRecordLabel = "peerwatch peer record";
/// Two are used; more would only make records longer.
inline constexpr std::size_t kMaxHomeRelays = 4;
inline constexpr std::uint32_t kMaxRecordLifetime = 24 * 3600;  // seconds

struct PeerRecord {
  PeerId id;
  std::uint64_t sequence = 0;
  std::uint32_t lifetime_s = 0;
  std::vector<PeerId> relays;  // ascending, without repetition, at most kMaxHomeRelays
  Signature signature{};
  bool operator==(const PeerRecord&) const = default;
};

/// What is signed.
Buffer signed_part(const PeerRecord& record);
Buffer encode(const PeerRecord& record);
/// Refuses whatever is not canonical, and a signature that isn't the id's.
Result<PeerRecord> decode_record(ByteView bytes);

enum class RecordVerdict : std::uint8_t { good, wrong_id, expired, older };
/// Whether a record (decoded, so its signature is good) of `expected` that was registered `age_s` ago may replace the one
/// with `newest` as its number; 0: none is known. The same number again is no news, and good.
RecordVerdict judge(const PeerRecord& record, const PeerId& expected, std::uint64_t age_s, std::uint64_t newest);

}  // namespace pw::wire
