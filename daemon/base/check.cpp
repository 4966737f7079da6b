#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace pw {

void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "peerwatch: invariant broken: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace pw
