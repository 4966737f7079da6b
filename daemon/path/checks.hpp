// Checks under way: requests of ours that are not answered yet, of all paths and candidates of one connection.
//
// A transaction ID is a number that counts up, then the sender's own tag. By the number the receiver tells a replayed
// request from a new one; by the tag, which an answer repeats, the sender's node finds the connection. Guessing one
// gains nobody anything: whether a message is authentic is the keys' business alone.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/address.hpp"
#include "base/time.hpp"
#include "event/vocabulary.hpp"
#include "wire/stun.hpp"

namespace pw::path {

struct Check {
  wire::stun::TransactionId id{};
  PathAddress to;
  event::PathKind kind = event::PathKind::none;
  Instant at{};
  bool full = false;                        // at full size
  std::optional<wire::ProbeFrame> probe{};  // it is a probe as well
  bool done = false;
};

class Checks {
 public:
  /// Under way at once; beyond it the oldest are forgotten. A search for open ports stays below it.
  static constexpr std::size_t kMax = 1024;
  /// What is not answered by then never will be: three times the longest wait of probe::Liveness, with room.
  static constexpr Duration kLifetime = 10s;

  /// `own_tag` as in Keys.
  explicit Checks(const std::string& own_tag);

  /// Gives it its transaction ID. The reference is good until the next call.
  const Check& begin(Instant now, Check check);
  /// The check with this ID; nullptr if it was answered, is forgotten or never was.
  Check* find(const wire::stun::TransactionId& id);
  void finish(Check& check) { check.done = true; }
  /// Nothing goes there any more, and no answer counts.
  void abandon(const PathAddress& to);
  void abandon(Via by);
  std::size_t size() const { return checks_.size(); }

 private:
  void forget_old(Instant now);

  Buffer tag_;
  std::deque<Check> checks_;  // by number, without gaps
  std::uint32_t next_ = 0;
};

/// The number in a transaction ID of a peer's check.
std::uint32_t number_of(const wire::stun::TransactionId& id);
/// Of a response: Keys::own_tag of the connection that it belongs to, if it belongs to one.
std::string tag_of(const wire::stun::TransactionId& id);

}  // namespace pw::path
