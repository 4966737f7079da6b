// The nearest known word to a misspelt one: "did you mean …?" for keys, options, peers.
#pragma once

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pw {

/// Edits (insert, remove, replace, swap neighbours) from one word to the other, letter case ignored: O(|a|·|b|).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto at = [](std::string_view s, std::size_t i) { return std::tolower(static_cast<unsigned char>(s[i])); };
  std::vector<std::size_t> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(previous);
    previous.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = at(a, i - 1) == at(b, j - 1);
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && at(a, i - 1) == at(b, j - 2) && at(a, i - 2) == at(b, j - 1))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

/// The known word that `word` was probably meant to be: at most a third of it differs (at least one letter may), or it
/// is the beginning of the known one, three letters or more. Words longer than 64 characters are nobody's typing error.
/// `known` is any range of strings.
template <class Range>
std::optional<std::string> nearest(std::string_view word, const Range& known) {
  constexpr std::size_t kLongest = 64;  // the cost is quadratic, and the word may come from the network
  constexpr std::size_t kShortestBeginning = 3;
  if (word.empty() || word.size() > kLongest) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    const std::string_view text = candidate;
    if (text.empty() || text.size() > kLongest) continue;
    const bool cut_short = word.size() >= kShortestBeginning && text.starts_with(word);
    const std::size_t distance = cut_short ? 1 : edit_distance(word, text);
    if (distance < best_distance) {
      best_distance = distance;
      best = std::string{text};
    }
  }
  return best;
}

}  // namespace pw
