// Reads what GET /metrics serves as text: samples by name and labels. Strictness is the unit tests' business.
#pragma once

#include <map>
#include <string>

namespace pw::sim {

inline std::string sample_key(const std::string& name, const std::map<std::string, std::string>& labels) {
  std::string key = name;
  for (const auto& [label, value] : labels) key += "|" + label + "=" + value;
  return key;
}

inline std::string sample_key(std::string_view name,
                              std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  return sample_key(std::string{name}, std::map<std::string, std::string>(labels.begin(), labels.end()));
}

/// Label values here are enumerations and peers: without quotes or commas.
inline std::map<std::string, double> read_exposition(const std::string& text) {
  std::map<std::string, double> samples;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line[0] == '#') continue;
    const std::size_t space = line.rfind(' ');
    const std::size_t brace = line.find('{');
    std::map<std::string, std::string> labels;
    for (std::size_t i = brace == std::string::npos ? space : brace + 1; i < space && line[i] != '}';) {
      const std::size_t equals = line.find("=\"", i);
      const std::size_t quote = line.find('"', equals + 2);
      labels.emplace(line.substr(i, equals - i), line.substr(equals + 2, quote - equals - 2));
      i = quote + 1;
      if (line[i] == ',') ++i;
    }
    samples[sample_key(line.substr(0, std::min(brace, space)), labels)] = std::stod(line.substr(space + 1));
  }
  return samples;
}

}  // namespace pw::sim
