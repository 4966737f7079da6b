#include "config/toml_scan.hpp"

#include <algorithm>
#include <optional>

namespace pw::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '"' || c == '\'';
}

/// By the last character before it that is not white space.
bool may_start_string(char before) {
  return before == '\n' || before == '=' || before == ',' || before == '.' || before == '[' || before == '{';
}

/// Goes through the text once, character by character, and knows only quotes, comments, brackets and lines.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_{text} {
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  /// The complaint, at line() and column(); none: the text is safe.
  std::optional<std::string> run() {
    while (!text_.empty()) {
      const char c = text_[0];
      if (static_cast<unsigned char>(c) >= 0x80)
        return "only quoted text and comments may have characters beyond ASCII";
      if (c == '.' && ++dots_ > kMostDotsPerLine)
        return "more than " + std::to_string(kMostDotsPerLine) + " dots in one line";
      if (text_.starts_with("\"\"\"") || text_.starts_with("'''")) return "a string of several lines has no use here";
      if (c == '[' && depth_ == 0 && first_of_line_) {
        advance(text_.starts_with("[[") ? 2 : 1);
        advance(std::min(text_.find_first_not_of(" \t"), text_.size()));
        // "[]" and the end of the text are what toml++ has good words for.
        if (!text_.empty() && text_[0] != ']' && !is_name_start(text_[0]))
          return "expected the name of a section after the bracket";
        ++depth_;
        continue;
      }
      if (c == '[' || c == '{') ++depth_;
      if ((c == ']' || c == '}') && depth_ > 0) --depth_;
      if (c == '#')
        advance(std::min(text_.find('\n'), text_.size()));
      else if (c == '"' || c == '\'') {
        // Elsewhere toml++ takes it for a part of what stands before it, and what follows for no string at all.
        if (!may_start_string(last_)) return "there is a quote in the middle of a value";
        string(c);
      } else
        advance(1);
    }
    return std::nullopt;
  }

  unsigned line() const { return line_; }
  unsigned column() const { return column_; }

 private:
  void advance(std::size_t count) {
    for (const char c : text_.substr(0, count)) {
      if (c == '\n') {
        ++line_;
        column_ = 1;
        dots_ = 0;
        first_of_line_ = true;
        last_ = '\n';
      } else {
        if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++column_;  // continuation bytes are no characters
        if (c == ' ' || c == '\t' || c == '\r') continue;
        first_of_line_ = false;
        last_ = c;
      }
    }
    text_.remove_prefix(count);
  }

  void string(char quote) {
    std::size_t end = 1;
    for (; end < text_.size() && text_[end] != quote && text_[end] != '\n'; ++end)
      if (quote == '"' && text_[end] == '\\' && text_.substr(end + 1, 1) != "\n") ++end;
    if (end >= text_.size() || text_[end] == '\n') {
      text_ = {};  // an open string: toml++ says so, and does not look further
      return;
    }
    advance(end + 1);
  }

  std::string_view text_;
  unsigned line_ = 1;
  unsigned column_ = 1;
  unsigned dots_ = 0;
  std::size_t depth_ = 0;  // of brackets and braces
  bool first_of_line_ = true;
  char last_ = '\n';  // not white space
};

}  // namespace

bool is_safe_toml(const std::string& file, std::string_view text, Problems& problems) {
  Scanner scanner{text};
  const auto complaint = scanner.run();
  if (!complaint) return true;
  problems.add({file, scanner.line(), scanner.column()}, "this is not TOML: " + *complaint);
  return false;
}

}  // namespace pw::config
