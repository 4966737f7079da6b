// What a series of pings adds up to.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "cli/text.hpp"

namespace pw::cli {

class PingSummary {
 public:
  void answer(double ms, std::string path) {
    path_ = std::move(path);
    least_ = answered_ == 0 ? ms : std::min(least_, ms);
    most_ = std::max(most_, ms);
    sum_ += ms;
    ++answered_;
  }
  void lose() {
    path_.clear();
    ++lost_;
  }
  /// Of the last one; empty if it was lost.
  const std::string& path() const { return path_; }
  unsigned answered() const { return answered_; }

  std::string to_text(const std::string& peer) const {
    const unsigned all = answered_ + lost_;
    std::string out = "--- " + peer + ": " + std::to_string(all) + (all == 1 ? " echo, " : " echoes, ") +
                      std::to_string(answered_) + " answered, " +
                      percent(all == 0 ? 0.0 : static_cast<double>(lost_) / all) + " lost\n";
    if (answered_ != 0)
      out += "rtt min/avg/max " + milliseconds(least_) + " / " + milliseconds(sum_ / answered_) + " / " +
             milliseconds(most_) + "\n";
    return out;
  }
  /// {"summary": …} on one line; no round trip is null.
  std::string to_json() const {
    const auto number = [&](double value) { return answered_ == 0 ? std::string{"null"} : std::to_string(value); };
    return "{\"summary\":{\"sent\":" + std::to_string(answered_ + lost_) +
           ",\"answered\":" + std::to_string(answered_) + ",\"min_ms\":" + number(least_) +
           ",\"avg_ms\":" + number(answered_ == 0 ? 0 : sum_ / answered_) + ",\"max_ms\":" + number(most_) + "}}\n";
  }

 private:
  double least_ = 0, most_ = 0, sum_ = 0;
  unsigned answered_ = 0, lost_ = 0;
  std::string path_;
};

}  // namespace pw::cli
