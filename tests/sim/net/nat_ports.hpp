// PortSet and PortAllocator: which outer ports of one address and protocol are free, and which of them comes next
// (RFC 4787 section 4.2). Every question costs the same, whether one port is taken or all but one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/rng.hpp"
#include "sim/net/nat.hpp"

namespace pw::net {

/// A set of ports as bits, counted in blocks so that a search skips what is empty: at most about 150 words are read.
class PortSet {
 public:
  bool contains(std::uint16_t port) const { return (words_[port / 64U] >> (port % 64U) & 1U) != 0; }
  void insert(std::uint16_t port);
  void erase(std::uint16_t port);
  std::size_t size() const { return size_; }
  /// The first in the set from `from` on, upwards or downwards, around the end; nothing if the set is empty.
  std::optional<std::uint16_t> next(std::uint16_t from) const;
  std::optional<std::uint16_t> previous(std::uint16_t from) const;
  /// The one that has `n` smaller ones in the set; n < size().
  std::uint16_t nth(std::size_t n) const;

 private:
  static constexpr std::size_t kWords = 65536 / 64;
  static constexpr std::size_t kBlock = 64;  // words

  std::array<std::uint64_t, kWords> words_{};
  std::array<std::uint16_t, kWords / kBlock> blocks_{};  // how many of the set lie in each: at most 4096
  std::size_t size_ = 0;
};

class PortAllocator {
 public:
  /// A sequential one starts where the generator says.
  PortAllocator(const NatOptions& options, Rng& rng);

  /// A free port for a packet from `inner_port`; nothing if none is left. It is free until take(): asked again with
  /// `refused`, it may come around to the same port.
  ///   preserving: the inner port, else the next free one above it, around the end of the range; after a refusal any free
  ///               one, as a Linux kernel that finds the tuple in use (nf_nat_l4proto_unique_tuple)
  ///   sequential: `step` from the last one offered, inside the range; if that is taken, the next free one in the
  ///               direction of the step
  ///   random:     any free one, all equally likely
  std::optional<std::uint16_t> offer(const NatOptions& options, std::uint16_t inner_port,
                                     bool refused, Rng& rng);
  bool is_free(std::uint16_t port) const { return free_.contains(port); }
  /// The first free one from `from` on; leaves a sequential allocator where it is.
  std::optional<std::uint16_t> next_free(std::uint16_t from) const { return free_.next(from); }
  /// Ports outside the range are nobody's to offer, but may be taken by whoever asks for one of them.
  void take(std::uint16_t port);
  void release(std::uint16_t port);

 private:
  std::uint16_t first_;
  std::uint16_t last_;
  std::uint16_t cursor_;
  PortSet free_;
};

}  // namespace pw::net
