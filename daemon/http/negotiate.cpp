#include "http/negotiate.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace pw::http {
namespace {

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string_view cut(std::string_view& text, char at) {
  const auto end = std::min(text.find(at), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trim(part);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

struct Choice {
  std::string_view value;
  std::string_view version;
  double quality = 1;
};

Choice parse_choice(std::string_view text) {
  Choice choice;
  choice.value = cut(text, ';');
  while (!text.empty()) {
    auto parameter = cut(text, ';');
    const auto key = cut(parameter, '=');
    if (equal_ignoring_case(key, "version")) choice.version = parameter;
    if (!equal_ignoring_case(key, "q")) continue;
    double q = 0;
    const auto [end, error] = std::from_chars(parameter.data(), parameter.data() + parameter.size(), q);
    choice.quality = error == std::errc{} && end == parameter.data() + parameter.size() && q >= 0 && q <= 1 ? q : 0;
  }
  return choice;
}

/// The versions of OpenMetrics that say what our exposition says.
bool known_version(std::string_view version) { return version.empty() || version == "1.0.0" || version == "0.0.1"; }

}  // namespace

bool wants_openmetrics(std::string_view accept) {
  double open = 0, text = 0;
  while (!accept.empty()) {
    const Choice choice = parse_choice(cut(accept, ','));
    if (equal_ignoring_case(choice.value, "application/openmetrics-text") && known_version(choice.version))
      open = std::max(open, choice.quality);
    if (equal_ignoring_case(choice.value, "text/plain")) text = std::max(text, choice.quality);
  }
  return open > text;
}

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<double> named, any;
  while (!accept_encoding.empty()) {
    const Choice choice = parse_choice(cut(accept_encoding, ','));
    if (equal_ignoring_case(choice.value, "gzip") || equal_ignoring_case(choice.value, "x-gzip"))
      named = choice.quality;
    if (choice.value == "*") any = choice.quality;
  }
  return named.value_or(any.value_or(0)) > 0;
}

bool is_json(std::string_view content_type) { return equal_ignoring_case(cut(content_type, ';'), "application/json"); }

}  // namespace pw::http
