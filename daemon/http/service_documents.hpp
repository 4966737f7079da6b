// The JSON about bootstraps and relays: this node's own, and itself as one. A value that was not measured is null.
#pragma once

#include <string>

#include "http/backend.hpp"

namespace pw::http {

std::string bootstraps_document(const View& view);
std::string relays_document(const View& view);

}  // namespace pw::http
