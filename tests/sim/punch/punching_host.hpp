// PunchingHost: a program that has nat::Punch tell it what to send, with the smallest possible stand-in for what proves
// paths: a check is answered to where it came from and checked back; an answer that comes from where the check went
// proves the path. What the ends tell each other takes one relay's delay.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "nat/punch.hpp"
#include "sim/net/recorder.hpp"

namespace pw::net {

class PunchingHost : public Program {
 public:
  static constexpr std::uint16_t kPort = 9470;

  PunchingHost(Net& net, Segment& segment, const std::string& name, const IpAddress& address)
      : net_{net}, machine_{net.add_machine(name)}, rng_{net.rng_for("host " + name)} {
    machine_.attach(segment, {address});
    PW_CHECK(machine_.open(*this, kPort));
    ports_[Via::own] = kPort;
    vias_[kPort] = Via::own;
    around.own = {address};
  }
  ~PunchingHost() override { machine_.kill(*this); }

  // ---- set once
  PunchingHost* other = nullptr;
  Duration relay_delay = 40ms;  // one way
  Duration late{};              // and so much more for what this host tells
  double relay_loss = 0;        // which costs a message one and a half round trips
  SocketAddress server;         // STUN
  nat::Surroundings around;
  nat::PunchTask task;          // all but who begins; start() and the other's message make the round from it
  nat::PunchOptions options;
  TokenBucket packets{500, 50};
  nat::SearchSlot search;

  // ---- what is seen
  std::optional<SocketAddress> outer;
  std::optional<PathAddress> proved;
  Instant proved_at = kNever;
  std::unique_ptr<nat::Punch> punch;
  unsigned sent = 0;  // packets, from the round's beginning
  std::set<SocketAddress> targets;
  std::size_t most_sockets = 0;

  Machine& machine() { return machine_; }
  SocketAddress address() const { return {around.own.at(0), kPort}; }
  std::size_t sockets() const { return ports_.size(); }

  void learn_outer() {
    wire::stun::Message request;
    rng_.fill(request.transaction);
    machine_.send(kPort, {{}, server}, wire::stun::encode(request));
  }
  void start() {
    make(true);
    const Instant now = machine_.now();
    punch->start(now, now + task.rtt / 2);
    drain(now);
  }
  void cancel() {
    punch->cancel();
    drain(machine_.now());
  }
  void hear(const nat::PunchMessage& message) {
    if (!punch && message.kind == nat::PunchMessage::Kind::start) make(false);
    const Instant now = machine_.now();
    if (punch) punch->handle_message(now, message);
    drain(now);
  }

  void handle_arrival(Instant now, const Arrival& a) override {
    const PathAddress path{IpAddress::any(a.path.remote.ip.family()), a.path.remote, vias_.at(a.port)};
    const std::string_view text = as_text(a.bytes);
    if (text.starts_with('C')) {
      send(path, "A" + std::string{text.substr(1)});
      if (!known_.contains(path)) back_.push_back({path, now, task.rtt, 0});
      known_.insert(path);
    } else if (text.starts_with('A')) {
      const auto check = checks_.find(std::string{text.substr(1)});
      if (check != checks_.end() && check->second == path) prove(now, path);
    } else if (const auto decoded = wire::stun::decode(a.bytes)) {
      const bool taken = punch && punch->handle_stun(now, path, decoded->message);
      if (!taken && path.via == Via::own && decoded->message.mapped) outer = decoded->message.mapped;
    }
    drain(now);
  }
  void handle_timeout(Instant now) override {
    if (punch) punch->handle_timeout(now);
    for (Back& b : back_) {
      if (b.next > now) continue;
      check(b.path, 0);
      b.next = ++b.sent < 7 ? now + b.wait : kNever;
      b.wait *= 2;
    }
    drain(now);
  }
  Instant poll_timeout() const override {
    Instant next = punch ? punch->poll_timeout() : kNever;
    for (const Back& b : back_) next = earlier(next, b.next);
    return next;
  }

 private:
  struct Back {  // a check in return
    PathAddress path;
    Instant next;
    Duration wait;
    unsigned sent;
  };
  void make(bool initiator) {
    task.initiator = initiator;
    punch = std::make_unique<nat::Punch>(task, options, nat::PunchShare{packets, search, next_via_}, rng_.split());
    sent = 0;
  }
  void send(const PathAddress& path, std::string_view text, std::uint8_t ttl = 0) {
    const auto port = ports_.find(path.via);
    if (port == ports_.end()) return;
    ++sent;
    machine_.send(port->second, {{}, path.remote}, as_bytes(text), ttl != 0 ? ttl : kDefaultTtl);
  }
  void check(const PathAddress& path, std::uint8_t ttl) {
    const std::string id = std::to_string(++last_);
    checks_[id] = path;
    targets.insert(path.remote);
    send(path, "C" + id, ttl);
  }
  void prove(Instant now, const PathAddress& path) {
    std::erase_if(back_, [&](const Back& b) { return b.path == path; });
    if (proved) return;
    proved = path;
    proved_at = now;
    if (punch) punch->handle_proved(now, path);
  }
  void tell(const nat::PunchMessage& message) {
    Duration delay = relay_delay + late;
    if (rng_.chance(relay_loss)) delay += 3 * relay_delay;
    told_ = std::max(told_, net_.now() + delay);  // in order
    net_.at(told_, [this, message] { other->hear(message); });
  }
  void serve(const event::Request& request) {
    if (const auto* open = std::get_if<event::OpenSocket>(&request)) {
      const auto port = machine_.open(*this, 0);
      PW_CHECK(port);
      ports_[open->via] = *port;
      vias_[*port] = open->via;
      most_sockets = std::max(most_sockets, ports_.size());
      punch->handle_socket(machine_.now(), open->via, SocketAddress{{}, *port});
    }
    if (const auto* close = std::get_if<event::CloseSocket>(&request)) {
      const std::uint16_t port = ports_.at(close->via);
      machine_.close(port);
      vias_.erase(port);
      ports_.erase(close->via);
    }
  }
  void drain(Instant now) {
    for (bool any = punch != nullptr; any;) {
      any = false;
      while (const auto message = punch->poll_message()) tell(*message), any = true;
      while (const auto request = punch->poll_request()) serve(*request), any = true;
      while (const auto t = punch->poll_transmit(now)) send(t->path, as_text(t->bytes)), any = true;
      while (const auto order = punch->poll_order(now)) check(order->path, order->ttl), any = true;
    }
    machine_.rearm(*this);
  }

  Net& net_;
  Machine& machine_;
  Rng rng_;
  std::uint32_t next_via_ = 1;
  std::map<Via, std::uint16_t> ports_;
  std::map<std::uint16_t, Via> vias_;
  std::map<std::string, PathAddress> checks_;
  std::set<PathAddress> known_;
  std::vector<Back> back_;
  std::uint64_t last_ = 0;
  Instant told_{};
};

}  // namespace pw::net
