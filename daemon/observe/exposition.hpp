// Writer of the Prometheus text format 0.0.4 and of OpenMetrics 1.0. It knows the formats, not the metrics.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "observe/metrics.hpp"

namespace pw::observe {

enum class SeriesType : std::uint8_t { counter, gauge, histogram };

class Exposer {
 public:
  explicit Exposer(Exposition format, std::size_t expected_bytes = 0) : format_{format} {
    out_.reserve(expected_bytes);
  }

  /// Starts a family; its samples follow at once, and without any the family is not written. A counter's name ends in
  /// _total (OpenMetrics drops that here). `help` has no line break, backslash or quote.
  void family(std::string_view name, std::string_view help, SeriesType type);

  /// One sample line: head, label and tail are written as they are and together make `name{labels} `.
  void sample(std::string_view head, std::string_view label, std::string_view tail, std::uint64_t value);
  void sample(std::string_view head, std::string_view label, std::string_view tail, double value);
  /// value / 10^decimals, written exactly, without trailing zeros.
  void decimal(std::string_view head, std::string_view label, std::string_view tail, std::int64_t value, int decimals);

  /// Ends the exposition.
  std::string finish() &&;

 private:
  std::string& line();

  Exposition format_;
  std::string out_;
  std::string header_;  // of the family that has no sample yet
};

/// A label's value: backslash, quote and line break escaped, bytes that are not UTF-8 replaced.
void append_label_value(std::string& out, std::string_view value);
/// An upper bound as `le` has it, alike in both formats: "0.1", "1.0", "+Inf".
std::string bound_text(double bound);

}  // namespace pw::observe
