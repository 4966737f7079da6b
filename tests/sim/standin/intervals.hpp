// A set of numbers as disjoint, sorted intervals [from, to): packet numbers that came, bytes that were acknowledged.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pw::quic::standin {

struct Interval {
  std::uint64_t from;
  std::uint64_t to;
};

class Intervals {
 public:
  void add(std::uint64_t from, std::uint64_t to) {
    if (from >= to) return;
    auto first = std::ranges::lower_bound(all_, from, {}, &Interval::to);  // the first that it touches
    auto last = first;
    for (; last != all_.end() && last->from <= to; ++last) {
      from = std::min(from, last->from);
      to = std::max(to, last->to);
    }
    if (first == last) {
      all_.insert(first, {from, to});
      return;
    }
    *first = {from, to};
    all_.erase(first + 1, last);
  }
  bool contains(std::uint64_t n) const {
    const auto at = std::ranges::upper_bound(all_, n, {}, &Interval::to);
    return at != all_.end() && at->from <= n;
  }
  void pop_front() { all_.erase(all_.begin()); }
  bool empty() const { return all_.empty(); }
  std::size_t size() const { return all_.size(); }
  Interval& front() { return all_.front(); }
  const std::vector<Interval>& all() const { return all_; }

 private:
  std::vector<Interval> all_;
};

}  // namespace pw::quic::standin
