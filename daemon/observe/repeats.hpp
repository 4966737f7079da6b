// Repeats: equal events within a window become one line at the first and one at the window's end.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "base/peer_id.hpp"
#include "event/event.hpp"

namespace pw::observe {

class Repeats {
 public:
  static constexpr Duration kWindow = 10s;
  /// Windows open at once; beyond, the oldest closes early. 1024 × 500 B.
  static constexpr std::size_t kMaxOpen = 1024;

  /// Something to be written: `repeated` = 0 for a first, else how many were held back; `event` is the last of them.
  struct Line {
    event::Event event;
    std::uint64_t repeated = 0;
  };

  /// What is to be written because of this record. `summed`: not even the first is written by itself.
  std::vector<Line> add(const event::Record& record, bool summed);
  /// What is to be written because windows ended.
  std::vector<Line> close(Instant now);

 private:
  using Key = std::tuple<std::size_t, std::optional<PeerId>, std::uint64_t>;
  struct Window {
    event::Event last;
    std::uint64_t held = 0;
  };
  void close_oldest(std::vector<Line>& out);

  std::map<Key, Window> open_;
  std::deque<std::pair<Instant, Key>> ends_;  // one for each of open_, in order: all windows are equally long
};

}  // namespace pw::observe
