// A Monitor that keeps all it hears, for tests to ask what was said.
#pragma once

#include <cstddef>
#include <vector>

#include "observe/monitor.hpp"

namespace pw::test {

class RecordingMonitor : public observe::Monitor {
 public:
  void handle(const event::Record& record) override { records.push_back(record); }

  /// Every event of one type, in order.
  template <class E>
  std::vector<E> all() const {
    std::vector<E> out;
    for (const event::Record& record : records)
      if (const E* e = std::get_if<E>(&record.event)) out.push_back(*e);
    return out;
  }
  template <class E>
  std::size_t count() const {
    return all<E>().size();
  }

  std::vector<event::Record> records;
};

}  // namespace pw::test
