// SendingPaths: where a connection's packets go. During a handshake a dialler sends to all its candidates, and an acceptor
// answers wherever the client's packets came from, since only one of these ways may lead back; to each no more than three
// times what came from there (RFC 9000 section 8.1), whatever came elsewhere. Then one path is kept (pin), until whoever
// proves paths chooses others (set). A path is what carries it and its remote address.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/address.hpp"

namespace pw::quic {

class SendingPaths {
 public:
  /// Of one client. Its candidates, as a NAT or two on the way show them.
  static constexpr std::size_t kMaxSources = 4;
  static constexpr std::uint64_t kAmplification = 3;

  /// A dialler's.
  explicit SendingPaths(std::span<const PathAddress> candidates)
      : paths_{candidates.begin(), candidates.end()}, pinned_{candidates.size() == 1} {}
  /// An acceptor's: where the first Initial came from, which take() counts too.
  explicit SendingPaths(const PathAddress& source) : paths_{source}, allowed_{0} {}

  /// A datagram of the handshake came. False: from where none is to come.
  bool take(const PathAddress& from, std::size_t bytes) {
    auto found = std::ranges::find_if(paths_, [&](const PathAddress& p) { return same(p, from); });
    if (found == paths_.end()) {
      if (pinned_ || allowed_.empty() || paths_.size() >= kMaxSources) return false;
      found = paths_.insert(paths_.end(), from);
      allowed_.push_back(0);
    }
    if (!allowed_.empty()) allowed_[static_cast<std::size_t>(found - paths_.begin())] += kAmplification * bytes;
    return true;
  }
  /// What came from there proved that the other side is there, and has chosen it.
  void pin(const PathAddress& from) {
    if (pinned_) return;
    pinned_ = true;
    std::erase_if(paths_, [&](const PathAddress& p) { return !same(p, from); });
    paths_.resize(1);
    paths_.shrink_to_fit();
    allowed_ = {};
  }
  void set(std::span<const PathAddress> paths) { paths_.assign(paths.begin(), paths.end()); }

  /// Calls `send(path, bytes)` for each: all of so many bytes, or as many whole packets of `segment` bytes as may go there.
  template <class Send>
  void for_each(std::size_t bytes, std::size_t segment, Send send) {
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      std::size_t fit = bytes;
      if (!allowed_.empty()) {
        if (allowed_[i] < bytes) fit = allowed_[i] / segment * segment;
        if (fit == 0) continue;
        allowed_[i] -= fit;
      }
      send(paths_[i], fit);
    }
  }

  /// Where one last word may go: not to all that an acceptor only heard of.
  std::vector<PathAddress> last() const { return allowed_.empty() ? paths_ : std::vector{paths_.front()}; }
  bool contains(const PathAddress& path) const {
    return std::ranges::any_of(paths_, [&](const PathAddress& p) { return same(p, path); });
  }
  const PathAddress& first() const { return paths_.front(); }

 private:
  static bool same(const PathAddress& a, const PathAddress& b) { return a.remote == b.remote && a.via == b.via; }

  std::vector<PathAddress> paths_;
  std::vector<std::uint64_t> allowed_;  // bytes that may go to each; empty: no such limit
  bool pinned_ = false;
};

}  // namespace pw::quic
