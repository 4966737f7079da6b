// Peers by DNS: the SRV records of a name (RFC 2782), each target with a TXT record "id=PEERID" of its own. What DNS says is
// a hint: the key that a peer proves decides.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/peer_id.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace pw::io {

struct SrvTarget {
  std::uint16_t priority = 0;
  HostPort at;
};
struct SrvAnswer {
  std::vector<SrvTarget> targets;  // by priority; "." ("decidedly not available") is none
  Duration ttl{};                  // the shortest
};
/// Of one DNS message. Any bytes are safe.
Result<SrvAnswer> parse_srv(ByteView message);

struct TxtAnswer {
  std::vector<std::string> texts;  // each with its strings joined (RFC 7208 section 3.3, for want of another rule)
  Duration ttl{};
};
Result<TxtAnswer> parse_txt(ByteView message);

/// The id that one of the texts names; none if no text does, or two say different ones.
Result<PeerId> id_of(const std::vector<std::string>& texts);

struct FoundPeer {
  PeerId id;
  std::vector<HostPort> addresses;  // in order of priority; names are looked up when the peer is dialled
  bool operator==(const FoundPeer&) const = default;
};
struct FoundPeers {
  std::vector<FoundPeer> peers;
  std::vector<std::string> problems;  // for people: targets that could not be used, and why
  bool complete = true;               // false: about some nobody answered
  Duration ttl{};                     // of the shortest record
};
/// Targets asked about for one name: each costs a query.
inline constexpr std::size_t kMostTargets = 256;
/// Blocks: one query, and one for each target.
Result<FoundPeers> find_peers(const std::string& name);

}  // namespace pw::io
