// Reads a text or OpenMetrics exposition strictly: whatever a format forbids fails the test that reads it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "observe/metrics.hpp"

namespace pw::test {

using LabelMap = std::map<std::string, std::string>;

struct Sample {
  std::string name;
  LabelMap labels;
  double value;
};

struct ExposedFamily {
  std::string type;
  std::string help;
  std::vector<Sample> samples;
};

class Exposed {
 public:
  /// Families by their full name (a counter's with _total, in both formats).
  std::map<std::string, ExposedFamily> families;

  static Exposed read(const std::string& text, observe::Exposition format);

  bool has(const std::string& sample, const LabelMap& labels = {}) const;
  /// Fails the test if it isn't there.
  double value(const std::string& sample, const LabelMap& labels = {}) const;
  std::size_t series() const;
  /// Every sample by its name and labels, in one canonical text.
  std::map<std::string, double> flat() const;
};

std::string series_key(const std::string& name, const LabelMap& labels);

}  // namespace pw::test
