// One end of a round of punching, and everything that it says; time goes from deadline to deadline.
#pragma once

#include <vector>

#include "nat/punch.hpp"

namespace pw::nat {

inline SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

struct PunchRig {
  struct Sent {
    Instant when;
    Order order;
    bool operator==(const Sent&) const = default;
  };

  explicit PunchRig(Method method, Role local = Role::either, Role remote = Role::either, bool initiator = true) {
    FamilyPlan& v4 = task.plan.families[static_cast<std::size_t>(Family::v4)];
    v4 = {.method = method, .why = Why::easy, .local = local, .remote = remote, .plain = Plain::all};
    task.plan.family = Family::v4;
    task.initiator = initiator;
    task.round = 3;
    task.rtt = 80ms;
    task.step = 2;
    task.theirs = {{CandidateKind::host, at("10.0.0.9:9470"), Via::own, 2},
                   {CandidateKind::server_reflexive, at("192.0.2.9:9470"), Via::own, 1}};
    task.observed = {at("192.0.2.9:1").ip};
    task.servers = {at("192.0.2.53:3478")};
  }
  Punch& make() {
    punch.emplace(task, options, PunchShare{packets, search, next_via}, Rng{1});
    return *punch;
  }
  /// The initiator's beginning, or the other's by a start message.
  Punch& begin() {
    make();
    if (task.initiator) {
      punch->start(now, now + task.rtt / 2);
    } else {
      hear({.kind = PunchMessage::Kind::start, .method = task.plan.method(), .family = task.plan.family});
    }
    drain();
    return *punch;
  }
  bool hear(PunchMessage message) {
    message.round = task.round;
    const bool taken = punch->handle_message(now, message);
    drain();
    return taken;
  }
  void drain() {
    for (bool any = true; any;) {
      any = false;
      while (const auto m = punch->poll_message()) said.push_back(*m), any = true;
      while (const auto r = punch->poll_request()) serve(*r), any = true;
      while (const auto t = punch->poll_transmit(now)) asked.push_back(*t), any = true;
      while (const auto o = punch->poll_order(now)) orders.push_back({now, *o}), any = true;
    }
  }
  void run_until(Instant limit) {
    while (punch->poll_timeout() <= limit) {
      // Nothing may be due for ever.
      const bool stuck = punch->poll_timeout() <= now && ++idle > 100;
      if (stuck) throw std::runtime_error("its deadline does not move");
      if (punch->poll_timeout() > now) idle = 0;
      now = std::max(now, punch->poll_timeout());
      punch->handle_timeout(now);
      drain();
    }
    now = limit;
  }
  /// The server saw the socket of the last question but `back` there.
  bool answer(std::uint16_t port, std::size_t back = 0) {
    const Transmit& t = asked.at(asked.size() - 1 - back);
    wire::stun::Message m;
    m.kind = wire::stun::Class::success;
    m.transaction = wire::stun::decode(t.bytes)->message.transaction;
    m.mapped = SocketAddress{at("192.0.2.1:1").ip, port};
    const bool taken = punch->handle_stun(now, t.path, m);
    drain();
    return taken;
  }
  std::size_t open() const { return opened.size() - closed.size(); }
  const PunchMessage& last() const { return said.back(); }

  PunchTask task;
  PunchOptions options;
  TokenBucket packets{500, 500};
  SearchSlot search;
  std::uint32_t next_via = 1;
  bool no_sockets = false;
  Instant now{1h};
  std::optional<Punch> punch;
  std::vector<PunchMessage> said;
  std::vector<Transmit> asked;
  std::vector<Sent> orders;
  std::vector<Via> opened;
  std::vector<Via> closed;
  int idle = 0;

 private:
  void serve(const event::Request& request) {
    if (const auto* o = std::get_if<event::OpenSocket>(&request)) {
      if (no_sockets) {
        punch->handle_socket(now, o->via, fail("too many open files"));
        return;
      }
      opened.push_back(o->via);
      punch->handle_socket(now, o->via, SocketAddress{});
    } else {
      closed.push_back(std::get<event::CloseSocket>(request).via);
    }
  }
};

}  // namespace pw::nat
