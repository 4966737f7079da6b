// Problem: one thing wrong with the configuration, at the place where a person wrote it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pw::config {

/// In a file: its name, line and column (from 1, columns in characters); line 0 means the file as a whole. Elsewhere:
/// `file` is the variable ("PEERWATCH_HTTP_LISTEN") or the option ("--http.listen"), line and column are 0.
struct Place {
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
  std::string to_string() const;
  bool operator==(const Place&) const = default;
};

struct Problem {
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
  std::string message;
  std::string hint;  // empty, or a question or advice

  /// "FILE:LINE:COLUMN: message (hint: …)"; what does not apply is left out.
  std::string to_string() const;
  bool operator==(const Problem&) const = default;
};

/// Collects problems. Messages quote what somebody wrote, so control characters are made visible and texts cut here,
/// for all of them: a configuration can't write escape sequences to a terminal or fill a log.
class Problems {
 public:
  /// More help nobody, and a hostile file could have a hundred thousand.
  static constexpr std::size_t kMost = 100;
  static constexpr std::size_t kLongestMessage = 400;

  void add(const Place& place, std::string_view message, std::string_view hint = {});
  /// No further problem will be kept: work that only serves a message can be spared.
  bool full() const { return kept_.size() >= kMost; }
  bool empty() const { return kept_.empty(); }
  /// In order of `sources`, line and column; those of no source last. Says how many were left out.
  std::vector<Problem> take(const std::vector<std::string>& sources);

 private:
  std::vector<Problem> kept_;
  std::size_t left_out_ = 0;
};

/// "name" for a message: in quotation marks, cut when long.
std::string quoted(std::string_view text);
/// Well-formed UTF-8 (RFC 3629) without control characters.
bool is_clean_text(std::string_view text);

}  // namespace pw::config
