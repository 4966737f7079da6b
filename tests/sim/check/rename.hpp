// What a rule keeps of each path goes on under the path's new name.
#pragma once

#include <map>
#include <utility>

#include "base/address.hpp"

namespace pw::sim {

template <class T>
void rename(std::map<PathAddress, T>& paths, const PathAddress& from, const PathAddress& to) {
  auto path = paths.extract(from);
  if (!path) return;
  path.key() = to;
  paths.insert(std::move(path));
}

}  // namespace pw::sim
