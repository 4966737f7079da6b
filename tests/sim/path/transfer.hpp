// Transfer: a stream of real QUIC from one machine to another over whatever paths a path::Set chooses, byte for byte
// compared with what was sent. Between the machines two segments, as in ends.hpp.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/check.hpp"
#include "path/set.hpp"
#include "quic/endpoint.hpp"
#include "sim/net/net.hpp"

namespace pw::path {

/// The byte at that offset of every transfer.
inline std::uint8_t content_at(std::uint64_t offset) {
  return static_cast<std::uint8_t>((offset * 2654435761U) >> 16);  // Knuth's multiplicative hash
}

class Transferrer : public net::Program {
 public:
  static constexpr std::uint16_t kPort = 9470;

  Transferrer(net::Net& n, const std::string& name, std::uint8_t key)
      : machine_{&n.add_machine(name)},
        rng_{n.rng_for(name)},
        identity_{make_identity(key)},
        endpoint_{quic::Options{}, identity_, rng_.split()} {
    PW_CHECK(machine_->open(*this, kPort));
  }
  ~Transferrer() override { machine_->kill(*this); }

  net::Machine& machine() { return *machine_; }
  const PeerId& id() const { return identity_.id(); }
  SocketAddress address(std::size_t interface) const {
    return {machine_->interfaces().at(interface)->addresses.at(0), kPort};
  }

  // ---- commands
  void dial(const PathAddress& path, const PeerId& peer) {
    PW_CHECK(endpoint_.dial(machine_->now(), std::array{path}, peer));
    drain(machine_->now());
  }
  /// So many bytes on a stream of their own.
  void send(std::uint64_t bytes) {
    left_ = bytes;
    stream_ = endpoint_.open_stream(connection_.value()).value();
    pump();
    drain(machine_->now());
  }
  void add(const PathAddress& path) {
    static_cast<void>(set->add(machine_->now(), path, kind_of(path), false));
    drain(machine_->now());
  }
  void leave(const PathAddress& path) {
    set->close(machine_->now(), path, event::PathChangeReason::operator_request);
    drain(machine_->now());
  }

  // ---- what happened
  std::optional<Set> set;  // from Established on
  std::uint64_t received = 0;
  bool finished = false;  // the stream's end has come
  bool corrupt = false;
  Instant last_byte{};
  std::size_t switches = 0;

  static event::PathKind kind_of(const PathAddress& p) {
    return p.remote.ip.bytes()[1] == 2 ? event::PathKind::relay_quic : event::PathKind::direct_v4;  // 9.2: the detour
  }

  // ---- net::Program
  void handle_arrival(Instant now, const net::Arrival& a) override {
    if (const auto decoded = wire::stun::decode(a.bytes)) {
      if (set) check(now, {a.received_at, a.path, kind_of(a.path), a.bytes, *decoded});
    } else {
      endpoint_.handle_datagram(now, a.received_at, a.path, a.bytes);
    }
    drain(now);
  }
  void handle_timeout(Instant now) override {
    endpoint_.handle_timeout(now);
    if (set) set->handle_timeout(now);
    drain(now);
  }
  Instant poll_timeout() const override {
    return set ? earlier(endpoint_.poll_timeout(), set->poll_timeout()) : endpoint_.poll_timeout();
  }

 private:
  static constexpr std::size_t kChunk = 64 << 10;
  static constexpr std::size_t kTraffic = 200;  // as mesh::Node has it

  static quic::Identity make_identity(std::uint8_t key) {
    quic::Identity::Seed seed{};
    seed[0] = key;
    return quic::Identity::from_seed(seed).value();
  }

  void check(Instant now, const Set::Arrived& arrived) {
    const bool request = arrived.decoded.message.kind == wire::stun::Class::request;
    static_cast<void>(request ? set->handle_request(now, arrived) : set->handle_response(now, arrived));
  }
  void pump() {
    while (left_ > 0) {
      Buffer chunk(std::min<std::uint64_t>(kChunk, left_));
      for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = content_at(offset_ + i);
      if (!endpoint_.write_stream(*connection_, stream_, chunk, chunk.size() == left_)) return;
      offset_ += chunk.size();
      left_ -= chunk.size();
    }
  }
  void on(Instant now, const quic::Established& e) {
    connection_ = e.connection;
    set.emplace(derive_keys(endpoint_.exporter(e.connection), e.dialled), Options{}, starvation_, rng_.split());
    PW_CHECK(set->add(now, e.path, kind_of(e.path), true));
  }
  void on(Instant now, const quic::StreamData& e) {
    for (const std::uint8_t byte : e.bytes) corrupt |= byte != content_at(received++);
    last_byte = now;
    finished |= e.fin;
    endpoint_.consume(e.connection, e.stream, e.bytes.size());
  }
  void on(Instant, const quic::StreamDrained&) { pump(); }
  void on(Instant, const auto&) {}
  void drain(Instant now) {
    bool again = true;
    while (again) {
      again = false;
      for (; auto e = endpoint_.poll_event(); again = true) std::visit([&](const auto& what) { on(now, what); }, *e);
      for (; auto e = set ? set->poll_event() : std::nullopt; again = true) {
        switches += std::holds_alternative<SendingPathChanged>(*e) ? 1 : 0;
        if (const auto* change = std::get_if<SendingChanged>(&*e))
          endpoint_.set_paths(*connection_, set->sending(), change->lost_since);
      }
      endpoint_.flush(now);
      for (; auto t = endpoint_.poll_transmit(); again = true) transmit(now, *t);
      for (; auto t = set ? set->poll_transmit() : std::nullopt; again = true)
        machine_->send(kPort, t->path, t->bytes);
    }
    machine_->rearm(*this);
  }
  void transmit(Instant now, const quic::Transmit& t) {
    const std::size_t step = t.segment_size == 0 ? t.bytes.size() : t.segment_size;
    for (std::size_t at = 0; at < t.bytes.size(); at += step)
      machine_->send(kPort, t.path, ByteView{t.bytes}.subspan(at, std::min(step, t.bytes.size() - at)));
    if (set && t.bytes.size() >= kTraffic) set->traffic_sent(now);
  }

  net::Machine* machine_;
  Rng rng_;
  quic::Identity identity_;
  quic::Endpoint endpoint_;
  probe::Starvation starvation_;
  std::optional<quic::Handle> connection_;
  quic::StreamId stream_ = -1;
  std::uint64_t left_ = 0;
  std::uint64_t offset_ = 0;
};

/// Two machines, a direct path between them and a detour by which they met.
struct Route {
  explicit Route(std::uint64_t seed, double rate)
      : net{seed}, direct{net.add_segment("direct", link(10ms, rate))}, detour{net.add_segment("detour", link(30ms, rate))} {
    a.machine().attach(direct, {IpAddress::v4({9, 1, 0, 1})});
    b.machine().attach(direct, {IpAddress::v4({9, 1, 0, 2})});
    a.machine().attach(detour, {IpAddress::v4({9, 2, 0, 1})});
    b.machine().attach(detour, {IpAddress::v4({9, 2, 0, 2})});
    a.dial(way(a, b, 1), b.id());
    run(2s);
    add_direct();
    run(3s);
  }
  static net::Link link(Duration delay, double rate) {
    net::Link l;
    l.delay = delay;
    l.rate = rate;
    l.queue = 256 << 10;
    return l;
  }
  PathAddress way(const Transferrer& from, const Transferrer& to, std::size_t interface) const {
    return {from.address(interface).ip, to.address(interface)};
  }
  void add_direct() {
    a.add(way(a, b, 0));
    b.add(way(b, a, 0));
  }
  /// At both ends, as when an operator wants it so; the relayed path takes over.
  void leave_direct() {
    a.leave(way(a, b, 0));
    b.leave(way(b, a, 0));
  }
  bool is_direct() const {
    return a.set->sending_kind() == event::PathKind::direct_v4 && b.set->sending_kind() == event::PathKind::direct_v4;
  }
  void run(Duration d) { net.run_until(net.now() + d); }

  net::Net net;
  net::Segment& direct;
  net::Segment& detour;
  Transferrer a{net, "a", 1};
  Transferrer b{net, "b", 2};
};

}  // namespace pw::path
