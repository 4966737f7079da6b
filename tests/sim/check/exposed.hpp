// Reads what GET /metrics serves as text: samples by name and labels. Strictness is the unit tests' business.
#pragma once

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pw::sim {

struct Label {
  std::string_view name;
  std::string_view value;
};

/// Equal for equal labels, in whatever order they come.
inline std::string sample_key(std::string_view name, std::vector<Label> labels) {
  std::ranges::sort(labels, {}, &Label::name);
  std::string key{name};
  for (const Label& l : labels) key.append("|").append(l.name).append("=").append(l.value);
  return key;
}

using Samples = std::unordered_map<std::string, double>;

/// Those whose name is wanted: most lines are of histograms. Label values here are enumerations and peers: without quotes
/// or commas.
template <class Wanted>
Samples read_exposition(std::string_view text, Wanted wanted) {
  Samples samples;
  std::string_view name;
  bool taken = false;  // samples of one name follow one another
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line[0] == '#') continue;
    const std::size_t space = line.rfind(' ');
    const std::string_view its = line.substr(0, std::min(line.find('{'), space));
    if (its != name) taken = wanted(name = its);
    if (!taken) continue;
    std::vector<Label> labels;
    for (std::size_t i = name.size() + 1; i < space && line[i] != '}';) {
      const std::size_t equals = line.find("=\"", i);
      const std::size_t quote = line.find('"', equals + 2);
      labels.push_back({line.substr(i, equals - i), line.substr(equals + 2, quote - equals - 2)});
      i = quote + 1;
      if (line[i] == ',') ++i;
    }
    double value = 0;
    std::from_chars(line.data() + space + 1, line.data() + line.size(), value);
    samples.emplace(sample_key(name, std::move(labels)), value);
  }
  return samples;
}

}  // namespace pw::sim
