#include "observe/label_choice.hpp"

#include <algorithm>

namespace pw::observe {
namespace {

constexpr double kIncumbent = 1.5;

class Choice {
 public:
  Choice(std::span<const LabelCandidate> candidates, std::size_t limit)
      : candidates_{candidates}, chosen_(candidates.size()), left_{limit} {}

  /// Picks at most `n` of those with a score above `least`, the highest first.
  template <class Score>
  void pick(std::size_t n, double least, Score score) {
    struct Ranked {
      double score;
      bool labelled;
      std::size_t index;
    };
    std::vector<Ranked> ranked;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const LabelCandidate& c = candidates_[i];
      const double value = score(c) * (c.labelled ? kIncumbent : 1.0);
      if (!chosen_[i] && value > least) ranked.push_back({value, c.labelled, i});
    }
    n = std::min({n, left_, ranked.size()});
    const auto better = [](const Ranked& a, const Ranked& b) {
      if (a.score != b.score) return a.score > b.score;
      if (a.labelled != b.labelled) return a.labelled;
      return a.index < b.index;
    };
    std::nth_element(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(n), ranked.end(), better);
    for (std::size_t i = 0; i < n; ++i) chosen_[ranked[i].index] = true;
    left_ -= n;
  }

  std::size_t left() const { return left_; }
  std::vector<bool> result() && { return std::move(chosen_); }

 private:
  std::span<const LabelCandidate> candidates_;
  std::vector<bool> chosen_;
  std::size_t left_;
};

}  // namespace

std::vector<bool> choose_labels(std::span<const LabelCandidate> candidates, std::size_t limit) {
  Choice choice{candidates, limit};
  choice.pick(limit, 0, [](const LabelCandidate& c) { return c.always ? 1.0 : 0.0; });
  choice.pick((choice.left() + 1) / 2, 0, [](const LabelCandidate& c) { return c.badness; });
  choice.pick(choice.left(), -1, [](const LabelCandidate& c) { return static_cast<double>(c.traffic); });
  return std::move(choice).result();
}

}  // namespace pw::observe
