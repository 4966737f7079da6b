// Traversals: each attempt at a direct path that starts ends, once and in time, and what it says of its end is so.
#pragma once

#include <map>

#include "sim/check/ground.hpp"

namespace pw::sim {

class Traversals : public Checker {
 public:
  /// The longest round, from its beginning at this end, and the answer that it may wait for. While a machine does not run
  /// its time does not go by.
  static constexpr Duration kMost = 20s;

  explicit Traversals(const Ground& ground) : Checker{"traversals"}, ground_{ground} {}
  void started(Instant, const Host& host) override;
  void died(Instant, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void look(const World& world) override;

 private:
  const Ground& ground_;
  std::map<std::size_t, std::map<PeerId, Instant>> open_;  // by host: since when
};

}  // namespace pw::sim
