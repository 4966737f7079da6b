// PunchMethod: what one end does in a round beyond plain checks. It knows the ports and their order; its round (punch.hpp)
// knows the time, the budget and the other end.
#pragma once

#include <deque>
#include <optional>

#include "base/taken.hpp"
#include "nat/punch_sampler.hpp"
#include "nat/punch_schedule.hpp"
#include "nat/punch_sockets.hpp"

namespace pw::nat {

struct MethodTask {
  SocketAddress peer;  // its outer address, supported by observation: where a hard end sends; whose ports an easy end tries
  std::vector<SocketAddress> servers;  // STUN, of the family
  Duration rtt{};                      // of the session
  int step = 0;                        // of our own NAT, where its ports are predicted
  std::uint8_t opener_ttl = 0;
  unsigned sockets = 0;  // birthday: the most that a hard end opens
  unsigned probes = 0;   // birthday: the most that an easy end sends
  Duration interval{};   // birthday: from probe to probe
};

class PunchMethod {
 public:
  PunchMethod(MethodTask task, SocketPool& pool, Rng rng)
      : task_{std::move(task)}, pool_{pool}, rng_{rng}, sampler_{task_.rtt, rng_.split()}, checks_{task_.rtt} {}
  virtual ~PunchMethod() = default;
  PunchMethod(const PunchMethod&) = delete;
  PunchMethod& operator=(const PunchMethod&) = delete;

  // ---- its round calls these; progress() after anything that happened, its own outputs included
  virtual void start(Instant now) = 0;
  virtual void progress(Instant now) = 0;
  /// False: not acceptable.
  virtual bool handle_sample(Instant now, const PunchMessage& sample) = 0;
  bool handle_stun(const PathAddress& from, const wire::stun::Message& message) {
    return sampler_.handle_stun(from, message);
  }
  void handle_timeout(Instant now) { sampler_.handle_timeout(now); }
  /// The other end has proved a path: nothing new begins, what is open stays.
  void hold() { held_ = true; }

  // ---- output
  std::optional<Transmit> poll_transmit(Instant now) { return sampler_.poll_transmit(now); }
  Instant transmit_at() const { return sampler_.poll_timeout(); }
  /// Orders that must follow one another without a pause, before others take the ports in between.
  bool has_burst() const { return !burst_.empty(); }
  Order take_burst() {
    const Order order = burst_.front();
    burst_.pop_front();
    return order;
  }
  virtual std::optional<Order> poll_order(Instant now) { return checks_.poll(now); }
  virtual Instant order_at() const { return checks_.poll_timeout(); }
  std::optional<PunchMessage> poll_message() {
    return taken(messages_);
  }
  /// Of progress(), for time's sake alone.
  virtual Instant timer() const { return kNever; }

  // ---- getters
  /// It can't go on.
  std::optional<PunchFailure> failure() const { return failure_; }
  /// Whether a path was found by this method.
  virtual bool aimed(const PathAddress& path) const { return pool_.owns(path.via); }
  /// Whether the other end's sample, without which nothing goes, came.
  bool informed() const { return informed_; }

 protected:
  PathAddress path_by(Via via, const SocketAddress& remote) const {
    return {IpAddress::any(remote.ip.family()), remote, via};
  }

  MethodTask task_;
  SocketPool& pool_;
  Rng rng_;
  PortSampler sampler_;
  CheckSchedule checks_;
  std::deque<Order> burst_;
  std::deque<PunchMessage> messages_;
  std::optional<PunchFailure> failure_;
  bool informed_ = false;
  bool held_ = false;
};

}  // namespace pw::nat
