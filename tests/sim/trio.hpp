// Trio: three daemons that are connected with one another, and eyes on the packets between them: what the tests of
// faults are made of.
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <vector>

#include "sim/checks.hpp"
#include "sim/inflict.hpp"

namespace pw::sim {

/// Packets from one machine to another, by what became of them.
class Seen : public Checker {
 public:
  Seen(const Host& from, const Host& to) : Checker{"seen"}, from_{from}, to_{to} {}
  void sent(Instant, const net::Machine& from, const net::Packet& p) override {
    if (&from != &from_.machine() || !to_.machine().interfaces().front()->has(p.destination.ip)) return;
    payloads_[p.id] = p.payload;
    fates_.push_back(true);
    places_[p.id] = fates_.size() - 1;
  }
  void arrived(Instant, const net::Machine& at, const net::Packet& p) override {
    if (&at != &to_.machine() || !payloads_.contains(p.id)) return;
    ++arrived_packets;
    bytes += p.size();
    largest = std::max(largest, p.size());
    overtaken += p.id < last_;
    last_ = std::max(last_, p.id);
    bent += payloads_[p.id] != p.payload;
    source = p.source;
  }
  void dropped(Instant, const net::Packet& p, net::Drop why, std::string_view) override {
    if (!payloads_.contains(p.id)) return;
    ++drops[why];
    smallest_drop = std::min(smallest_drop, p.size());
    fates_[places_[p.id]] = false;
  }
  std::size_t sent_packets() const { return fates_.size(); }
  std::size_t dropped_packets() const { return static_cast<std::size_t>(std::ranges::count(fates_, false)); }
  /// Mean length of a run of lost packets.
  double burst() const {
    std::size_t runs = 0;
    for (std::size_t i = 0; i < fates_.size(); ++i) runs += !fates_[i] && (i == 0 || fates_[i - 1]);
    return runs == 0 ? 0 : static_cast<double>(dropped_packets()) / static_cast<double>(runs);
  }

  std::map<net::Drop, std::size_t> drops;
  std::size_t arrived_packets = 0;
  std::size_t bytes = 0;
  std::size_t largest = 0;
  std::size_t smallest_drop = 10'000;
  std::size_t overtaken = 0;
  std::size_t bent = 0;
  SocketAddress source;

 private:
  const Host& from_;
  const Host& to_;
  std::map<std::uint64_t, Buffer> payloads_;
  std::map<std::uint64_t, std::size_t> places_;
  std::vector<bool> fates_;
  std::uint64_t last_ = 0;
};

/// Three that are connected with one another, and eyes on two of them.
struct Trio {
  explicit Trio(std::uint64_t seed = 1) : w{seed}, a{w.add("a")}, b{w.add("b")}, c{w.add("c")}, faults{w} {
    w.introduce_all();
    for (Host* h : {&a, &b, &c}) h->membership.probe.datagram_interval = 100ms;
    w.start_all();
    REQUIRE(w.run_until([&] { return a.connected(b) && b.connected(a) && c.connected(b); }, 20s));
    w.run_for(5s);
    faults_from = w.now();
    there = &watch(a, b);
    back = &watch(b, a);
    beside = &watch(c, b);
  }
  Seen& watch(const Host& from, const Host& to) { return static_cast<Seen&>(w.add(std::make_unique<Seen>(from, to))); }
  std::size_t pair(FaultKind kind, double amount = 0) {
    return faults.inflict({.kind = kind, .host = 0, .other = 1, .router = nullptr, .amount = amount, .lasts = {}});
  }
  std::size_t of_b(FaultKind kind, double amount = 0, std::optional<Duration> lasts = {}) {
    return faults.inflict({.kind = kind, .host = 1, .other = {}, .router = nullptr, .amount = amount, .lasts = lasts});
  }
  double rtt() const {
    auto probes = a.all<event::ProbeMeasured>();
    std::erase_if(probes, [this](const event::ProbeMeasured& e) { return e.peer != b.id(); });
    return to_milliseconds(probes.back().rtt);
  }
  bool all_up() const { return a.connected(b) && b.connected(a) && c.connected(b) && b.connected(c); }

  World w;
  Host& a;
  Host& b;
  Host& c;
  Faults faults;
  Seen* there = nullptr;
  Seen* back = nullptr;
  Seen* beside = nullptr;
  Instant faults_from;
};

}  // namespace pw::sim
