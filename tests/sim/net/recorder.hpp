// Recorder: a machine with one socket whose program writes down everything that it is told; and a log of what the net
// did with packets. For tests of the net.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "sim/net/net.hpp"

namespace pw::net {

inline IpAddress ip(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  PW_CHECK(parsed);
  return *parsed;
}
inline Prefix prefix(std::string_view text) {
  const auto parsed = Prefix::parse(text);
  PW_CHECK(parsed);
  return *parsed;
}

class Recorder : public Program {
 public:
  static constexpr std::uint16_t kPort = 7;

  Recorder(Net& net, std::string name) : machine_{&net.add_machine(std::move(name))} { open(); }
  Recorder(Net& net, Segment& segment, std::string name, std::string_view address, const Link& access = {})
      : Recorder{net, std::move(name)} {
    machine_->attach(segment, {ip(address)}, access);
  }
  /// A second program on a machine.
  Recorder(Machine& machine, std::uint16_t port) : machine_{&machine}, port_{port} { open(); }
  ~Recorder() override { machine_->kill(*this); }

  struct Got {
    Instant at;  // machine time, as all here
    Instant received_at;
    SocketAddress from;
    SocketAddress to;
    std::uint8_t ttl;
    std::string text;
  };
  std::vector<Got> got;
  std::vector<Instant> fired;
  std::vector<Duration> gaps;
  std::vector<Instant> changes;
  std::vector<std::string> order;  // of all calls: "got hello", "timer", "gap", "change"
  Instant deadline = kNever;       // cleared when it fires
  std::function<void(Instant, const Arrival&)> on_arrival;
  std::function<void(Instant)> on_timeout;

  Machine& machine() { return *machine_; }
  SocketAddress address(std::size_t interface = 0) const {
    return {machine_->interfaces().at(interface)->addresses.at(0), port_};
  }
  void send(const SocketAddress& to, std::string_view text, std::uint8_t ttl = kDefaultTtl) {
    machine_->send(port_, {{}, to}, as_bytes(text), ttl);
  }
  void set_timer(Instant at) {
    deadline = at;
    machine_->rearm(*this);
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Got& g : got) all.push_back(g.text);
    return all;
  }

  void handle_arrival(Instant now, const Arrival& a) override {
    got.push_back({now, a.received_at, a.path.remote, {a.path.local, a.port}, a.ttl, std::string{as_text(a.bytes)}});
    order.push_back("got " + got.back().text);
    if (on_arrival) on_arrival(now, a);
  }
  void handle_timeout(Instant now) override {
    fired.push_back(now);
    order.emplace_back("timer");
    deadline = kNever;
    if (on_timeout) on_timeout(now);
  }
  void handle_gap(Instant, Duration by) override {
    gaps.push_back(by);
    order.emplace_back("gap");
  }
  void handle_network_change(Instant now) override {
    changes.push_back(now);
    order.emplace_back("change");
  }
  Instant poll_timeout() const override { return deadline; }

 private:
  void open() { PW_CHECK(machine_->open(*this, port_)); }
  Machine* machine_;
  std::uint16_t port_ = kPort;
};

/// What became of packets.
class Log : public Observer {
 public:
  explicit Log(Net& net) : net_{net} { net_.add_observer(*this); }
  ~Log() override { net_.remove_observer(*this); }

  std::map<Drop, std::size_t> drops;
  std::string trace;  // a line an event
  bool keep_trace = false;

  std::size_t count(Drop reason) const {
    const auto found = drops.find(reason);
    return found == drops.end() ? 0 : found->second;
  }
  std::size_t total() const {
    std::size_t n = 0;
    for (const auto& [reason, count] : drops) n += count;
    return n;
  }

  void sent(Instant now, const Machine&, const Packet& p) override { write(now, "sent", p, ""); }
  void arrived(Instant now, const Machine&, const Packet& p) override { write(now, "arrived", p, ""); }
  void dropped(Instant now, const Packet& p, Drop reason, std::string_view where) override {
    ++drops[reason];
    write(now, name(reason), p, where);
  }

 private:
  void write(Instant now, std::string_view what, const Packet& p, std::string_view where) {
    if (!keep_trace) return;
    trace += std::to_string(now.time_since_epoch().count()) + " " + std::string{what} + " " + std::to_string(p.id) + " " +
             p.source.to_string() + " " + p.destination.to_string() + " " + to_hex(p.payload) + " " + std::string{where} +
             "\n";
  }
  Net& net_;
};

}  // namespace pw::net
