// NAT-PMP messages as a client writes and reads them (RFC 6886): the outer address, and a mapping of one UDP port.
#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "nat/port_mapping_terms.hpp"
#include "nat/port_mapping_wire.hpp"

namespace pw::nat::nat_pmp {

/// Section 3.2.
Buffer encode_address_request();
/// Section 3.3; lifetime in seconds. 0 deletes (section 3.4): then `wanted_port` is 0 too.
Buffer encode_map(std::uint16_t inner_port, std::uint16_t wanted_port, std::uint32_t lifetime);

struct Response {
  enum class Kind : std::uint8_t { address, map };
  Kind kind = Kind::address;
  MappingError error = MappingError::none;
  std::uint32_t epoch = 0;  // not with unsupported_version, which a PCP server says in its own layout
  IpAddress address;        // of an address, without error
  // Of a map, without error:
  std::uint16_t inner_port = 0;
  std::uint16_t outer_port = 0;
  std::uint32_t lifetime = 0;  // seconds
};

/// Sections 3.2, 3.3 and 3.5. Whether it answers what was asked, its reader finds out.
Result<Response, AnswerFault> decode(ByteView datagram);

/// Section 3.6: whether the gateway seems to have forgotten its mappings between the two.
bool restarted(const EpochSample& before, const EpochSample& after);

}  // namespace pw::nat::nat_pmp
