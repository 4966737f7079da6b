// The values of a round of punching: orders, messages between the two ends, and how it ended.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/address.hpp"
#include "base/time.hpp"
#include "event/nat.hpp"
#include "nat/plan.hpp"

namespace pw::nat {

/// Send a check there (or, low TTL, only an opener: a check that dies behind our own NAT).
struct Order {
  PathAddress path;
  std::uint8_t ttl = 0;  // 0: the system's own
  bool operator==(const Order&) const = default;
};

using PunchFailure = event::TraversalFailure;
using PunchResult = event::TraversalResult;
using Traversal = event::TraversalMethod;

struct PunchEnd {
  PunchResult result = PunchResult::failure;
  Traversal method = Traversal::none;  // what succeeded; of a failure: what was tried
  PunchFailure failure = PunchFailure::none;
  std::string_view detail;  // for people, from a closed set; empty where the names above say it all
};

/// What the ends tell each other, reliably and in order, in the session's control stream.
struct PunchMessage {
  enum class Kind : std::uint8_t {
    start,   // the initiator's first: the round begins for the other at receipt
    ready,   // my openers are out
    sample,  // where my next ports will be, or which range they come from
    done,    // I have proved a path
    cancel   // I have given up
  };
  Kind kind = Kind::start;
  std::uint32_t round = 0;
  // start: both ends must have planned the same
  Method method = Method::none;
  Family family = Family::v4;
  // sample: ports first, first + step … (`count` of them)
  std::uint8_t attempt = 0;
  std::uint16_t first = 0;
  std::int32_t step = 1;
  std::uint32_t count = 0;
  // cancel: none if somebody asked for it
  PunchFailure failure = PunchFailure::none;
  bool operator==(const PunchMessage&) const = default;
};

}  // namespace pw::nat
