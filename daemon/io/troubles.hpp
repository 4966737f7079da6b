// Troubles: says each trouble of this machine once, and again only after it has been quiet for long.
#pragma once

#include <map>
#include <string>

#include "base/time.hpp"

namespace pw::io {

class Troubles {
 public:
  /// A trouble that comes back after this was over in between.
  static constexpr Duration kOver = 10min;
  /// Kinds remembered; they are errnos of a family and a few fixed names, so this is never reached by honest means.
  static constexpr std::size_t kKinds = 256;

  /// True when `kind` has to be said now.
  bool first(const std::string& kind, Instant now) {
    const auto known = last_.find(kind);
    if (known == last_.end()) {
      if (last_.size() >= kKinds) return false;
      last_.emplace(kind, now);
      return true;
    }
    const bool over = now - known->second >= kOver;
    known->second = now;
    return over;
  }

 private:
  std::map<std::string, Instant> last_;
};

}  // namespace pw::io
