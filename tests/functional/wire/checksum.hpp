// The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit words.
#pragma once

#include <cstdint>

#include "base/address.hpp"

namespace pw::lab {

class Checksum {
 public:
  /// Every call but the last must have an even number of bytes.
  Checksum& add(ByteView bytes) {
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2) sum_ += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    if (i < bytes.size()) sum_ += static_cast<std::uint32_t>(bytes[i] << 8);  // as if a zero followed
    return *this;
  }
  /// The pseudo header of UDP, TCP and ICMPv6 (RFC 768; RFC 8200 section 8.1).
  Checksum& add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                              std::size_t length) {
    sum_ += protocol;
    sum_ += length;  // below 2^16 here; longer ones fold alike
    return add(source.bytes()).add(destination.bytes());
  }
  /// What goes into the header's field, with the field itself counted as zero. Over a message with its field: 0 when it
  /// is right.
  std::uint16_t value() const {
    std::uint64_t sum = sum_;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
  }

 private:
  std::uint64_t sum_ = 0;
};

}  // namespace pw::lab
