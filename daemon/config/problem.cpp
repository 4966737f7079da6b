#include "config/problem.hpp"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>

#include "base/bytes.hpp"

namespace pw::config {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// The length of the UTF-8 sequence at the start of `s`, 0 if there is none (RFC 3629 section 4). C1 control characters
/// count as none: terminals obey them.
std::size_t sequence_length(std::string_view s) {
  const auto at = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return at(i) >= 0x80 && at(i) <= 0xbf; };
  const unsigned b = at(0);
  if (b < 0x80) return 1;
  if (b >= 0xc2 && b <= 0xdf) return tail(1) && !(b == 0xc2 && at(1) < 0xa0) ? 2 : 0;
  if (b >= 0xe0 && b <= 0xef) {
    const bool second = at(1) >= (b == 0xe0 ? 0xa0U : 0x80U) && at(1) <= (b == 0xed ? 0x9fU : 0xbfU);
    return second && tail(2) ? 3 : 0;
  }
  if (b >= 0xf0 && b <= 0xf4) {
    const bool second = at(1) >= (b == 0xf0 ? 0x90U : 0x80U) && at(1) <= (b == 0xf4 ? 0x8fU : 0xbfU);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= longest) return out + "…";
    const std::size_t n = sequence_length(text);
    if (n == 0 || is_control(text[0])) {
      out += "\\x" + to_hex(as_bytes(text.substr(0, 1)));
      text.remove_prefix(1);
    } else {
      out += text.substr(0, n);
      text.remove_prefix(n);
    }
  }
  return out;
}

}  // namespace

std::string Place::to_string() const {
  return line == 0 ? file : file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Problem::to_string() const {
  std::string out = Place{file, line, column}.to_string();
  out += out.empty() ? message : ": " + message;
  return hint.empty() ? out : out + " (hint: " + hint + ")";
}

void Problems::add(const Place& place, std::string_view message, std::string_view hint) {
  if (full()) {
    ++left_out_;
    return;
  }
  kept_.push_back({printable(place.file, kLongestMessage), place.line, place.column,
                   printable(message, kLongestMessage), printable(hint, kLongestMessage)});
}

std::vector<Problem> Problems::take(const std::vector<std::string>& sources) {
  const auto key = [&](const Problem& p) {
    return std::tuple{std::ranges::find(sources, p.file) - sources.begin(), p.line, p.column};
  };
  std::ranges::stable_sort(kept_, [&](const Problem& a, const Problem& b) { return key(a) < key(b); });
  if (left_out_ > 0) kept_.push_back({"", 0, 0, "and " + std::to_string(left_out_) + " more problems", ""});
  left_out_ = 0;
  return std::exchange(kept_, {});
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 80;  // longer names are recognised by their beginning
  return "\"" + printable(text, kLongest) + "\"";
}

bool is_clean_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t n = sequence_length(text);
    if (n == 0 || is_control(text[0])) return false;
    text.remove_prefix(n);
  }
  return true;
}

}  // namespace pw::config
