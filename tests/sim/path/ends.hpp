// Two ends of one connection that has been made, as far as paths are concerned: machines whose program is a path::Set
// and a stream of numbered packets in QUIC's place, each of which goes wherever Set::sending() says. Between them two
// segments: "direct", and "detour" in a relay's place: to a Set it is one, by its kind.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "path/set.hpp"
#include "sim/net/recorder.hpp"

namespace pw::path {

using event::PathChangeReason;
using event::PathHealth;
using event::PathKind;

inline constexpr std::uint16_t kPort = 9470;

inline Keys test_keys(bool dialled) {
  Exporter exporter{};
  exporter[0] = 42;
  return derive_keys(exporter, dialled);
}

class End : public net::Program {
 public:
  End(net::Net& n, std::string name, bool dialled, Options options = {})
      : machine_{&n.add_machine(name)},
        set{test_keys(dialled), options, starvation_, n.rng_for("set " + name)} {
    PW_CHECK(machine_->open(*this, kPort));
  }
  ~End() override { machine_->kill(*this); }

  net::Machine& machine() { return *machine_; }
  SocketAddress address(std::size_t interface = 0) const {
    return {machine_->interfaces().at(interface)->addresses.at(0), kPort};
  }
  net::Interface& interface(std::size_t i) { return *machine_->interfaces().at(i); }

  // ---- commands
  void command(const std::function<void(Set&, Instant)>& what) {
    what(set, machine_->now());
    drain();
    machine_->rearm(*this);
  }
  void add(const PathAddress& a, PathKind kind, bool proved) {
    command([&](Set& s, Instant now) { PW_CHECK(s.add(now, a, kind, proved)); });
  }
  /// One numbered packet every so often; nothing: none.
  void send_every(std::optional<Duration> interval) {
    every_ = interval;
    next_data_ = interval ? machine_->now() : kNever;
    machine_->rearm(*this);
  }

  // ---- what happened, by this machine's time
  template <class E>
  std::vector<std::pair<Instant, E>> told() const {
    std::vector<std::pair<Instant, E>> out;
    for (const auto& [at, e] : events)
      if (const E* of = std::get_if<E>(&e)) out.emplace_back(at, *of);
    return out;
  }
  /// When the path of that kind became that, for the last time.
  std::optional<Instant> became(PathKind kind, PathHealth health) const {
    std::optional<Instant> last;
    for (const auto& [at, e] : told<HealthChanged>())
      if (e.path.kind == kind && e.to == health) last = at;
    return last;
  }
  std::optional<Instant> moved_to(PathKind kind) const {
    std::optional<Instant> last;
    for (const auto& [at, e] : told<SendingPathChanged>())
      if (e.to.kind == kind) last = at;
    return last;
  }
  std::size_t moves(PathChangeReason reason) const {
    std::size_t n = 0;
    for (const auto& [at, e] : told<SendingPathChanged>()) n += e.reason == reason ? 1 : 0;
    return n;
  }
  std::size_t refused(Refusal why) const {
    const auto found = refusals.find(why);
    return found == refusals.end() ? 0 : found->second;
  }
  std::optional<Snapshot> path(PathKind kind) const {
    for (const Snapshot& s : set.snapshot())
      if (s.path.kind == kind) return s;
    return std::nullopt;
  }

  std::vector<std::pair<Instant, Event>> events;
  std::map<Refusal, std::size_t> refusals;
  std::map<Instant, std::uint32_t> data_sent;  // the newest number at that time
  std::set<std::uint32_t> data_received;
  std::size_t checks_sent = 0;
  std::size_t check_bytes = 0;
  std::vector<PathAddress> sending;  // as QUIC was told

  // ---- net::Program
  void handle_arrival(Instant now, const net::Arrival& a) override {
    ByteReader in{a.bytes};
    if (in.u8() == kData) {
      data_received.insert(in.u32());
      return;
    }
    const auto decoded = wire::stun::decode(a.bytes);
    if (!decoded) return;
    const Set::Arrived arrived{a.received_at, a.path, kind_of(a.path), a.bytes, *decoded};
    const bool request = decoded->message.kind == wire::stun::Class::request;
    if (const Verdict v = request ? set.handle_request(now, arrived) : set.handle_response(now, arrived); !v)
      ++refusals[v.error()];
    drain();
  }
  void handle_timeout(Instant now) override {
    if (next_data_ <= now) {
      send_data(now);
      next_data_ = now + *every_;
    }
    set.handle_timeout(now);
    drain();
  }
  void handle_gap(Instant now, Duration) override {
    starvation_.mark(now);
    set.node_was_late(now);
  }
  Instant poll_timeout() const override { return earlier(set.poll_timeout(), next_data_); }

 private:
  static constexpr std::uint8_t kData = 0x44;
  static PathKind kind_of(const PathAddress& p) {
    if (p.remote.ip.family() == Family::v6) return PathKind::direct_v6;
    return p.remote.ip.bytes()[1] == 2 ? PathKind::relay_quic : PathKind::direct_v4;  // 9.2: the detour
  }
  void send_data(Instant now) {
    Buffer packet{kData};
    ByteWriter{packet}.u32(next_number_);
    packet.resize(kFullSize);
    data_sent[now] = next_number_++;
    for (const PathAddress& p : sending) machine_->send(kPort, p, packet);
    set.traffic_sent(now);
  }
  void drain() {
    while (auto t = set.poll_transmit()) {
      ++checks_sent;
      check_bytes += t->bytes.size() + 28;
      machine_->send(kPort, t->path, t->bytes, t->ttl == 0 ? net::kDefaultTtl : t->ttl);
    }
    while (auto e = set.poll_event()) {
      if (std::holds_alternative<SendingChanged>(*e)) sending.assign(set.sending().begin(), set.sending().end());
      events.emplace_back(machine_->now(), std::move(*e));
    }
  }

  net::Machine* machine_;
  probe::Starvation starvation_;
  std::optional<Duration> every_;
  Instant next_data_ = kNever;
  std::uint32_t next_number_ = 0;

 public:
  Set set;
};

struct Ends {
  static constexpr Duration kDirect = 10ms;  // one way
  static constexpr Duration kDetour = 30ms;

  explicit Ends(std::uint64_t seed, Options options = {})
      : net{seed},
        direct{net.add_segment("direct", net::Link{.delay = kDirect})},
        detour{net.add_segment("detour", net::Link{.delay = kDetour})},
        a{net, "a", true, options},
        b{net, "b", false, options} {
    a.machine().attach(direct, {net::ip("9.1.0.1")});
    b.machine().attach(direct, {net::ip("9.1.0.2")});
    a.machine().attach(detour, {net::ip("9.2.0.1")});
    b.machine().attach(detour, {net::ip("9.2.0.2")});
  }

  PathAddress way(const End& from, const End& to, std::size_t interface) const {
    return {from.address(interface).ip, to.address(interface)};
  }
  /// The handshake went over the detour, as it does over a relay.
  void start_relayed() {
    a.add(way(a, b, 1), PathKind::relay_quic, true);
    b.add(way(b, a, 1), PathKind::relay_quic, true);
  }
  /// Both are on the direct path, with the detour warm; and some seconds have passed.
  void start_direct() {
    a.add(way(a, b, 0), PathKind::direct_v4, true);
    b.add(way(b, a, 0), PathKind::direct_v4, true);
    a.add(way(a, b, 1), PathKind::relay_quic, false);
    b.add(way(b, a, 1), PathKind::relay_quic, false);
    run(5s);
    PW_CHECK(a.set.sending_kind() == PathKind::direct_v4 && a.set.paths() == 2);
    PW_CHECK(b.set.sending_kind() == PathKind::direct_v4 && b.set.paths() == 2);
  }
  void run(Duration d) { net.run_until(net.now() + d); }
  /// The wire from one to the other.
  net::Link& link(net::Segment& s, End& from, End& to) {
    const std::size_t i = &s == &direct ? 0 : 1;
    return s.wire(from.interface(i), to.interface(i)).link;
  }
  void both(net::Segment& s, const std::function<void(net::Link&)>& change) {
    change(link(s, a, b));
    change(link(s, b, a));
  }

  net::Net net;
  net::Segment& direct;
  net::Segment& detour;
  End a;
  End b;
};

/// The numbers that `from` sent from `since` to `until` and `to` never got.
inline std::size_t lost(const End& from, const End& to, Instant since, Instant until) {
  std::size_t n = 0;
  for (auto i = from.data_sent.lower_bound(since); i != from.data_sent.end() && i->first < until; ++i)
    n += to.data_received.contains(i->second) ? 0 : 1;
  return n;
}

}  // namespace pw::path
