#include "sim/net/net.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::net {

Net::Net(std::uint64_t seed) : seed_{seed} {}
Net::~Net() = default;

Segment& Net::add_segment(std::string name, const Link& default_link, unsigned hops) {
  return *segments_.emplace_back(std::make_unique<Segment>(*this, std::move(name), default_link, hops));
}

Machine& Net::add_machine(std::string name) {
  Rng rng = rng_for("machine " + name);
  return *machines_.emplace_back(
      std::make_unique<Machine>(*this, std::move(name), machines_.size(), std::move(rng)));
}

Router& Net::add_router(std::string name, RouterOptions options) {
  Rng rng = rng_for("router " + name);
  return *routers_.emplace_back(
      std::make_unique<Router>(*this, std::move(name), std::move(options), std::move(rng)));
}

// ---- time

Instant Net::poll_timeout() const {
  const Instant next = earlier(queue_.earliest(), timers_.earliest());
  return next == kNever ? kNever : std::max(next, now_);
}

bool Net::step(Instant limit) {
  const Instant next = poll_timeout();
  if (next > limit || next == kNever) return false;
  now_ = next;
  // What has arrived by a time is handled before what is due at that time, as daemon/io does.
  if (queue_.earliest() > now_) {
    machines_[*timers_.due(now_)]->turn();
    return true;
  }
  auto happening = queue_.pop();
  if (auto* action = std::get_if<Queue::Action>(&happening)) {
    (*action)();
    return true;
  }
  auto& flight = std::get<Flight>(happening);
  delivering_ = true;
  if (flight.leg == Leg::home)
    machines_[flight.to]->take(std::move(flight.packet));
  else
    flight.segment->advance(std::move(flight));
  delivering_ = false;
  return true;
}

void Net::run_until(Instant limit) {
  while (step(limit)) {
  }
  now_ = std::max(now_, limit);
}

void Net::at(Instant when, std::function<void()> action) { queue_.push(std::max(when, now_), std::move(action)); }

// ---- randomness

Rng Net::rng_for(std::string_view part) const {
  Rng::Seed seed{};
  const auto put = [&](std::size_t at, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i) seed[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  };
  put(0, seed_);
  // The name in 192 bits: FNV-1a from three offsets. ChaCha makes unlike streams of seeds that are alike.
  for (std::size_t n = 1; n < 4; ++n) {
    std::uint64_t hash = 1469598103934665603ULL * (2 * n - 1);
    for (const char c : part) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
    put(8 * n, hash);
  }
  return Rng{seed};
}

// ---- who watches

void Net::add_observer(Observer& observer) { observers_.push_back(&observer); }
void Net::remove_observer(Observer& observer) { std::erase(observers_, &observer); }

void Net::sent(const Machine& from, const Packet& packet) {
  ++packets_sent_;
  for (Observer* o : observers_) o->sent(now_, from, packet);
}

void Net::arrived(const Machine& at, const Packet& packet) {
  ++packets_arrived_;
  for (Observer* o : observers_) o->arrived(now_, at, packet);
}

void Net::dropped(const Packet& packet, Drop reason, std::string_view where) {
  ++packets_dropped_;
  for (Observer* o : observers_) o->dropped(now_, packet, reason, where);
}

}  // namespace pw::net
