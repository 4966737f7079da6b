// PCP messages as a client writes and reads them (RFC 6887): ANNOUNCE and MAP of one UDP port, no options.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "nat/port_mapping_terms.hpp"
#include "nat/port_mapping_wire.hpp"

namespace pw::nat::pcp {

using Nonce = std::array<std::uint8_t, 12>;

struct Map {
  IpAddress own;  // as the gateway sees this node
  Nonce nonce{};
  std::uint16_t inner_port = 0;
  SocketAddress wanted;        // its family is own's; unspecified, port 0: any
  std::uint32_t lifetime = 0;  // seconds; 0 deletes
};

/// Section 14.1.
Buffer encode_announce(const IpAddress& own);
/// Section 11.1.
Buffer encode_map(const Map& map);

struct Response {
  enum class Kind : std::uint8_t {
    other_version,  // the gateway speaks none that we do (section 9); nothing below is set
    announce,
    map
  };
  Kind kind = Kind::announce;
  MappingError error = MappingError::none;
  std::uint32_t lifetime = 0;  // seconds; of an error: ask no sooner again (section 7.2)
  std::uint32_t epoch = 0;
  // Of a MAP:
  Nonce nonce{};
  bool udp = false;
  std::uint16_t inner_port = 0;
  SocketAddress external;
};

/// Sections 7.2, 8.3 and 11.4. Whether it answers what was asked, its reader finds out.
Result<Response, AnswerFault> decode(ByteView datagram);

/// Section 8.5: whether the gateway seems to have forgotten its mappings between the two.
bool restarted(const EpochSample& before, const EpochSample& after);

}  // namespace pw::nat::pcp
