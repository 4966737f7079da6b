// gzip (RFC 1952) at zlib's level 1: metrics shrink tenfold for a tenth of the time that level 6 takes.
#pragma once

#include <string>
#include <string_view>

namespace pw::http {

/// Below this a packet is sent anyway.
inline constexpr std::size_t kMinGzip = 1024;

/// Empty if memory ran out: then the caller sends the text as it is.
std::string gzip(std::string_view text);

}  // namespace pw::http
