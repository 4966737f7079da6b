#include "sim/net/link.hpp"

#include <algorithm>

namespace pw::net {

Wire::Wire(const Link& conditions, Rng rng) : link{conditions} { rng.fill(seed_); }

Rng& Wire::rng() {
  if (!rng_) rng_ = std::make_unique<Rng>(seed_);
  return *rng_;
}

bool Wire::lost() {
  bool lost = false;
  if (link.bursts.enter > 0 || in_burst_) {
    in_burst_ = in_burst_ ? !rng().chance(link.bursts.leave) : rng().chance(link.bursts.enter);
    lost = in_burst_ && rng().chance(link.bursts.loss);
  }
  if (link.loss > 0 && rng().chance(link.loss)) lost = true;
  return lost;
}

Instant Wire::serialise(Instant now, std::size_t bytes) {
  if (link.rate <= 0) return now;
  busy_until_ = std::max(busy_until_, now) + from_seconds(static_cast<double>(bytes) / link.rate);
  return busy_until_;
}

Wire::Outcome Wire::carry(Instant now, Packet& packet) {
  const std::size_t size = packet.size();
  if (!link.up) return {Drop::link_down, {}, {}};
  if (size > link.mtu) return {Drop::too_big, {}, {}};
  // A packet that finds the link idle goes, however small the queue.
  if (link.rate > 0 && busy_until_ > now &&
      to_seconds(busy_until_ - now) * link.rate + static_cast<double>(size) > static_cast<double>(link.queue))
    return {Drop::queue_full, {}, {}};
  const Instant sent = serialise(now, size);
  if (lost()) return {Drop::lost, {}, {}};

  const auto arrival = [&] {
    return sent + link.delay + (link.jitter > Duration{} ? rng().up_to(link.jitter) : Duration{});
  };
  Outcome out;
  out.at = arrival();
  if (link.reorder > 0 && rng().chance(link.reorder)) {
    out.at += link.reorder_by;
  } else if (link.in_order) {
    out.at = last_arrival_ = std::max(out.at, last_arrival_);
  }
  if (link.duplicate > 0 && rng().chance(link.duplicate)) {
    out.again = arrival();
    if (link.in_order) out.again = std::max(*out.again, out.at);
  }
  if (link.corrupt > 0 && !packet.payload.empty() && rng().chance(link.corrupt)) {
    const std::uint64_t bit = rng().below(packet.payload.size() * 8);
    packet.payload[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  }
  return out;
}

}  // namespace pw::net
