// AgingTable: entries that all live equally long after they were last refreshed, so that the order of refreshing is the
// order of expiring: a list beside a hash table, every operation O(1) however many there are. Provided that instants
// never run backwards and one table knows one time-out. Nothing depends on the hash table's order.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

#include "base/address.hpp"
#include "base/time.hpp"

namespace pw::net {

/// Two ends of something: inner and remote, remote and outer.
struct Ends {
  SocketAddress a;
  SocketAddress b;
  bool operator==(const Ends&) const = default;
};
struct EndsHash {
  std::size_t operator()(const Ends& e) const noexcept {
    return std::hash<SocketAddress>{}(e.a) * 31 + std::hash<SocketAddress>{}(e.b);
  }
};

template <class Key, class Value, class Hash = std::hash<Key>>
class AgingTable {
 public:
  AgingTable() = default;
  AgingTable(const AgingTable&) = delete;  // places point into the list
  AgingTable& operator=(const AgingTable&) = delete;
  AgingTable(AgingTable&&) = default;
  AgingTable& operator=(AgingTable&&) = default;

  struct Entry {
    Key key;
    Value value;
    Instant expires;  // from then on it is gone, though it may still have to be swept
    bool lives(Instant now) const { return now < expires; }
  };

  Entry* find(Instant now, const Key& key) {
    const auto found = at_.find(key);
    return found != at_.end() && found->second->lives(now) ? &*found->second : nullptr;
  }
  const Entry* find(Instant now, const Key& key) const { return const_cast<AgingTable*>(this)->find(now, key); }
  bool contains(const Key& key) const { return at_.contains(key); }

  /// New, or in place of what is there.
  Entry& put(const Key& key, Value value, Instant expires) {
    const auto [place, is_new] = at_.try_emplace(key);
    if (is_new) {
      place->second = entries_.insert(entries_.end(), Entry{key, std::move(value), expires});
    } else {
      place->second->value = std::move(value);
      refresh(place->second, expires);
    }
    return *place->second;
  }
  void refresh(const Key& key, Instant expires) {
    if (const auto found = at_.find(key); found != at_.end()) refresh(found->second, expires);
  }
  void erase(const Key& key) {
    const auto found = at_.find(key);
    if (found == at_.end()) return;
    entries_.erase(found->second);
    at_.erase(found);
  }

  /// The one that expires first, if it has expired.
  Entry* oldest_expired(Instant now) {
    return entries_.empty() || entries_.front().lives(now) ? nullptr : &entries_.front();
  }
  /// Removes at most `limit` that have expired.
  void sweep(Instant now, std::size_t limit) {
    for (; limit > 0 && oldest_expired(now) != nullptr; --limit) {
      at_.erase(entries_.front().key);
      entries_.pop_front();
    }
  }

  /// Those that have not been swept. O(1).
  std::size_t size() const { return at_.size(); }
  /// Those that have not expired. O(those that wait to be swept).
  std::size_t living(Instant now) const {
    std::size_t gone = 0;
    for (auto it = entries_.begin(); it != entries_.end() && !it->lives(now); ++it) ++gone;
    return size() - gone;
  }
  void clear() {
    at_.clear();
    entries_.clear();
  }

 private:
  using Place = typename std::list<Entry>::iterator;
  void refresh(Place place, Instant expires) {
    place->expires = expires;
    entries_.splice(entries_.end(), entries_, place);
  }

  std::list<Entry> entries_;  // the first expires first; places stay valid while others come and go
  std::unordered_map<Key, Place, Hash> at_;
};

}  // namespace pw::net
