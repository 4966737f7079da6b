// Deadlines: one instant per key, the earliest first. Setting, moving and clearing cost O(log n).
#pragma once

#include <set>
#include <unordered_map>
#include <utility>

#include "base/time.hpp"

namespace pw {

template <class Key, class Hash = std::hash<Key>>
class Deadlines {
 public:
  /// kNever clears.
  void set(const Key& key, Instant at) {
    const auto found = at_.find(key);
    if (found != at_.end()) {
      if (found->second == at) return;
      auto node = order_.extract({found->second, key});
      if (at == kNever) {
        at_.erase(found);
        return;
      }
      found->second = at;
      node.value().first = at;  // a deadline moves with every packet: without a new allocation
      order_.insert(std::move(node));
    } else {
      if (at == kNever) return;
      at_.emplace(key, at);
      order_.emplace(at, key);
    }
  }
  void clear(const Key& key) { set(key, kNever); }
  Instant earliest() const { return order_.empty() ? kNever : order_.begin()->first; }
  /// The key of the earliest deadline that is not after `now`; it stays until set or cleared.
  const Key* due(Instant now) const {
    return order_.empty() || order_.begin()->first > now ? nullptr : &order_.begin()->second;
  }
  std::size_t size() const { return at_.size(); }

 private:
  std::set<std::pair<Instant, Key>> order_;
  std::unordered_map<Key, Instant, Hash> at_;
};

}  // namespace pw
