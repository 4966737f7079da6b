#include "sim/net/nat_ports.hpp"

#include <bit>

#include "base/check.hpp"

namespace pw::net {

void PortSet::insert(std::uint16_t port) {
  if (contains(port)) return;
  const std::size_t word = port / 64U;
  words_[word] |= std::uint64_t{1} << (port % 64U);
  ++blocks_[word / kBlock];
  ++size_;
}

void PortSet::erase(std::uint16_t port) {
  if (!contains(port)) return;
  const std::size_t word = port / 64U;
  words_[word] &= ~(std::uint64_t{1} << (port % 64U));
  --blocks_[word / kBlock];
  --size_;
}

std::optional<std::uint16_t> PortSet::next(std::uint16_t from) const {
  if (size_ == 0) return std::nullopt;
  std::size_t word = from / 64U;
  std::uint64_t bits = words_[word] & ~std::uint64_t{0} << (from % 64U);
  while (bits == 0) {  // ends: the set is not empty, and the first word comes again, whole
    word = (word + 1) % kWords;
    while (word % kBlock == 0 && blocks_[word / kBlock] == 0) word = (word + kBlock) % kWords;
    bits = words_[word];
  }
  return static_cast<std::uint16_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
}

std::optional<std::uint16_t> PortSet::previous(std::uint16_t from) const {
  if (size_ == 0) return std::nullopt;
  std::size_t word = from / 64U;
  std::uint64_t bits = words_[word] & ~std::uint64_t{0} >> (63U - from % 64U);
  while (bits == 0) {
    word = (word + kWords - 1) % kWords;
    while (word % kBlock == kBlock - 1 && blocks_[word / kBlock] == 0) word = (word + kWords - kBlock) % kWords;
    bits = words_[word];
  }
  return static_cast<std::uint16_t>(word * 64 + 63U - static_cast<std::size_t>(std::countl_zero(bits)));
}

std::uint16_t PortSet::nth(std::size_t n) const {
  PW_CHECK(n < size_);
  std::size_t block = 0;
  for (; n >= blocks_[block]; ++block) n -= blocks_[block];
  std::size_t word = block * kBlock;
  const auto count = [&] { return static_cast<std::size_t>(std::popcount(words_[word])); };
  for (; n >= count(); ++word) n -= count();
  std::uint64_t bits = words_[word];
  for (; n > 0; --n) bits &= bits - 1;
  return static_cast<std::uint16_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
}

PortAllocator::PortAllocator(const NatOptions& options, Rng& rng)
    : first_{options.first_port}, last_{options.last_port}, cursor_{first_} {
  for (unsigned port = first_; port <= last_; ++port) free_.insert(static_cast<std::uint16_t>(port));
  cursor_ = static_cast<std::uint16_t>(first_ + rng.below(last_ - first_ + 1U));
}

std::optional<std::uint16_t> PortAllocator::offer(const NatOptions& options, std::uint16_t inner_port,
                                                  bool refused, Rng& rng) {
  if (free_.size() == 0) return std::nullopt;
  switch (options.ports) {
    case PortAllocation::preserving:
      if (!refused) return free_.next(inner_port);
      [[fallthrough]];
    case PortAllocation::random: return free_.nth(rng.below(free_.size()));
    case PortAllocation::sequential: {
      const int size = last_ - first_ + 1;
      const int step = options.step % size;  // either sign
      const int next = (cursor_ - first_ + step + size) % size + first_;
      const auto wanted = static_cast<std::uint16_t>(next);
      cursor_ = *(options.step > 0 ? free_.next(wanted) : free_.previous(wanted));
      return cursor_;
    }
  }
  return std::nullopt;
}

void PortAllocator::take(std::uint16_t port) { free_.erase(port); }

void PortAllocator::release(std::uint16_t port) {
  if (port >= first_ && port <= last_) free_.insert(port);
}

}  // namespace pw::net
