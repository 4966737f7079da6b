// Watch: what happens to one end, from outside: when it was connected, direct, knew its NAT; its packets; its attempts.
#pragma once

#include <optional>
#include <vector>

#include "sim/checker.hpp"
#include "sim/host.hpp"

namespace pw::sim::matrix {

class Watch : public Checker {
 public:
  explicit Watch(const Host& host) : Checker{"watch"}, host_{host} {}

  std::optional<Instant> connected;  // first, as all of these
  std::optional<Instant> direct;
  std::optional<Instant> measured;   // its NAT, by IPv4
  std::uint32_t packets = 0;
  std::uint32_t packets_until_direct = 0;
  unsigned sessions_ended = 0;
  unsigned left_direct = 0;          // it went from a direct path to none
  std::vector<event::TraversalStarted> started;
  std::vector<event::TraversalEnded> ended;
  bool is_connected() const { return is_connected_; }
  bool is_direct() const { return is_connected_ && direct_kind(path_); }
  event::PathKind path() const { return is_connected_ ? path_ : event::PathKind::none; }

  void sent(Instant, const net::Machine& from, const net::Packet&) override { packets += &from == &host_.machine() ? 1U : 0U; }
  void recorded(Instant at, const Host& host, const event::Record& record) override;

 private:
  static bool direct_kind(event::PathKind kind) {
    return kind == event::PathKind::direct_v4 || kind == event::PathKind::direct_v6;
  }
  void go(Instant at, event::PathKind path);

  const Host& host_;
  bool is_connected_ = false;
  event::PathKind path_ = event::PathKind::none;
};

}  // namespace pw::sim::matrix
