// A reply's status line and header fields as bytes (RFC 9112).
#pragma once

#include <string>

#include "base/time.hpp"
#include "http/message.hpp"

namespace pw::http {

/// A stream has no length: it ends with the connection.
std::string head_of(const Reply& reply, bool keep_alive, WallTime now);

/// "Sat, 21 Nov 2026 10:22:02 GMT" (RFC 9110 section 5.6.7).
std::string http_date(WallTime now);

}  // namespace pw::http
