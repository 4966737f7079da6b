// Resolver: looks host names up on threads of its own, since the C library's look-up blocks, for minutes at worst.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"

namespace pw::io {

class Resolver {
 public:
  /// Look-ups at once: a dead name server must not hold up the names that others answer, and each costs a thread.
  static constexpr std::size_t kConcurrent = 4;
  /// Waiting: every peer of a large mesh may have a name. Beyond it an answer is an error at once.
  static constexpr std::size_t kWaiting = 1024;
  /// Addresses taken from one answer: more than a peer dials.
  static constexpr std::size_t kAddresses = 16;

  using Answer = Result<std::vector<IpAddress>>;
  /// Called exactly once per look-up, on any thread (also inside resolve()), and never after the destructor has begun.
  using Deliver = std::function<void(std::uint64_t id, Answer answer)>;
  /// getaddrinfo, or a test's own.
  using Lookup = std::function<Answer(const std::string& host)>;

  explicit Resolver(Deliver deliver);
  Resolver(Deliver deliver, Lookup lookup);
  /// Does not wait for a look-up that is under way; its answer goes nowhere.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  void resolve(std::uint64_t id, const std::string& host);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Blocks. The addresses of a name, each once, in the order the system prefers.
Resolver::Answer look_up(const std::string& host);

}  // namespace pw::io
