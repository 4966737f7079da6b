#pragma once

#include <cstdint>

namespace pw::service {

/// Application codes of CONNECTION_CLOSE on a service connection, either way.
enum class CloseCode : std::uint64_t { done, not_admitted, full, replaced, protocol, not_offered };

}  // namespace pw::service
