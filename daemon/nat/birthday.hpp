// The birthday search, for a NAT whose next port nobody can tell: its end opens K sockets that all send to the other, so
// that K of its N ports lead to it; the other tries M ports of it at random. They meet with probability
// 1 − C(N−K, M) / C(N, M) ≈ 1 − exp(−KM/N): with K = 256 and N = 64512, 99 % after 1160 probes.
//
// A carrier's NAT gives each customer a block of ports: N is measured first, and K is smaller where N is.
#pragma once

#include <deque>
#include <vector>

#include "nat/punch_method.hpp"

namespace pw::nat {

struct PortRange {
  std::uint16_t first = 1024;
  std::uint16_t last = 65535;
  std::uint32_t size() const { return static_cast<std::uint32_t>(last - first) + 1; }
  bool operator==(const PortRange&) const = default;
};

/// Where ports that were given at random come from. Few samples, or wide apart: all of them.
PortRange infer_range(std::vector<std::uint16_t> samples);

/// How many sockets that range is worth: one of 32 ports, so that 140 probes make 99 % where 256 would need 5 s.
unsigned sockets_for(const PortRange& range, unsigned most);

/// The ports of a range in random order, each once. 2 bytes a port.
class PortSearch {
 public:
  PortSearch(const PortRange& range, Rng rng);
  std::optional<std::uint16_t> next();
  std::size_t tried() const { return tried_; }

 private:
  std::vector<std::uint16_t> ports_;
  std::size_t tried_ = 0;
  Rng rng_;
};

/// At most one search runs on a node, in either role: it is what fills the tables of routers.
class SearchSlot {
 public:
  bool take() {
    const bool free = !taken_;
    taken_ = true;
    return free;
  }
  void release() { taken_ = false; }
  bool taken() const { return taken_; }

 private:
  bool taken_ = false;
};

/// The hard end. Its packets never come as far as the other NAT (low TTL): they only make mappings.
class SearchSockets final : public PunchMethod {
 public:
  static constexpr std::size_t kSamples = 8;

  using PunchMethod::PunchMethod;
  void start(Instant now) override;
  void progress(Instant now) override;
  bool handle_sample(Instant, const PunchMessage&) override { return false; }
  std::optional<Order> poll_order(Instant now) override;
  Instant order_at() const override;
  Instant timer() const override { return range_ ? kNever : sampler_.poll_timeout(); }

 private:
  void spread();
  std::vector<Via> vias_;    // all of them
  std::deque<Via> unsent_;
  std::vector<Via> asked_;
  std::optional<PortRange> range_;
  Instant now_{};
};

/// The easy end.
class Probes final : public PunchMethod {
 public:
  using PunchMethod::PunchMethod;
  void start(Instant) override {}
  void progress(Instant) override {}
  bool handle_sample(Instant now, const PunchMessage& sample) override;
  std::optional<Order> poll_order(Instant now) override;
  Instant order_at() const override;
  bool aimed(const PathAddress& path) const override {
    return path.via == Via::own && path.remote.ip == task_.peer.ip && search_;
  }

 private:
  std::optional<PortSearch> search_;
  Instant next_ = kNever;
};

}  // namespace pw::nat
