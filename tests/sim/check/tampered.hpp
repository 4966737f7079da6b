// Tampered: one rule with a ground of its own, which is told what happens in a real world, but not quite: a test takes
// things away, bends them, or adds what never was. The world's own rules see the truth and must stay content.
#pragma once

#include <functional>
#include <memory>

#include "sim/check/ground.hpp"
#include "sim/world.hpp"

namespace pw::sim {

class Tampered : public Checker {
 public:
  using Make = std::function<std::unique_ptr<Checker>(const World&, const Ground&)>;
  Tampered(const World& world, const Make& make) : Checker{"tampered"}, rule_{make(world, ground_)} {}

  /// What the rule is told instead of an event; empty: the event itself.
  std::function<void(Instant, const Host&, const event::Record&)> on_event;
  std::function<void(Instant, const net::Machine&, const net::Packet&)> on_sent;
  std::function<void(Instant, const net::Machine&, const net::Packet&)> on_arrived;
  std::function<bool(event::Ticket)> keeps_answer;
  std::function<event::Answer(const event::Answer&)> on_answer;
  bool hides_drops = false;  // what is lost is under way for ever
  bool hides_pauses = false;

  const std::string& complaint() const { return rule_->broken(); }

  // ---- tells the rule
  void tell(Instant at, const Host& host, const event::Record& record) {
    ground_.recorded(at, host, record);
    rule_->recorded(at, host, record);
  }
  void tell_sent(Instant at, const net::Machine& from, const net::Packet& packet) {
    ground_.sent(at, from, packet);
    rule_->sent(at, from, packet);
  }
  void tell_arrived(Instant at, const net::Machine& machine, const net::Packet& packet) {
    ground_.arrived(at, machine, packet);
    rule_->arrived(at, machine, packet);
  }

  // ---- is told by the world
  void sent(Instant at, const net::Machine& from, const net::Packet& packet) override {
    on_sent ? on_sent(at, from, packet) : tell_sent(at, from, packet);
  }
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override {
    on_arrived ? on_arrived(at, machine, packet) : tell_arrived(at, machine, packet);
  }
  void dropped(Instant at, const net::Packet& packet, net::Drop why, std::string_view where) override {
    if (hides_drops) return;
    ground_.dropped(at, packet, why, where);
    rule_->dropped(at, packet, why, where);
  }
  void paused(Instant at, const net::Machine& machine, Instant until) override {
    if (hides_pauses) return;
    ground_.paused(at, machine, until);
    rule_->paused(at, machine, until);
  }
  void started(Instant at, const Host& host) override {
    ground_.started(at, host);
    rule_->started(at, host);
  }
  void died(Instant at, const Host& host) override {
    ground_.died(at, host);
    rule_->died(at, host);
  }
  void recorded(Instant at, const Host& host, const event::Record& record) override {
    on_event ? on_event(at, host, record) : tell(at, host, record);
  }
  void commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) override {
    ground_.commanded(at, host, ticket, command);
    rule_->commanded(at, host, ticket, command);
  }
  void answered(Instant at, const Host& host, event::Ticket ticket, const event::Answer& answer) override {
    if (!keeps_answer || keeps_answer(ticket)) rule_->answered(at, host, ticket, on_answer ? on_answer(answer) : answer);
  }
  void look(const World& world) override { rule_->look(world); }

 private:
  Ground ground_;
  std::unique_ptr<Checker> rule_;
};

/// Two daemons that know each other, and a rule that is told tales about them.
struct TamperedPair {
  explicit TamperedPair(const Tampered::Make& make, std::uint64_t seed = 1)
      : w{seed}, a{w.add("a")}, b{w.add("b")}, tales{static_cast<Tampered&>(w.add(std::make_unique<Tampered>(w, make)))} {
    w.introduce_all();
  }
  void run(Duration d) {
    if (!a.running() && a.generation() == 0) w.start_all();
    w.run_for(d);
    tales.look(w);
  }
  bool complains_of(std::string_view text) const { return tales.complaint().find(text) != std::string::npos; }
  /// Nothing of that kind gets to the rule.
  template <class... E>
  void hide() {
    tales.on_event = [this](Instant at, const Host& h, const event::Record& r) {
      if (!(std::holds_alternative<E>(r.event) || ...)) tales.tell(at, h, r);
    };
  }
  template <class E>
  void repeat(unsigned times = 1) {
    tales.on_event = [this, times](Instant at, const Host& h, const event::Record& r) {
      tales.tell(at, h, r);
      for (unsigned i = 0; std::holds_alternative<E>(r.event) && i < times; ++i) tales.tell(at, h, r);
    };
  }
  /// Bends those of a kind.
  template <class E, class Bend>
  void bend(Bend how) {
    tales.on_event = [this, how](Instant at, const Host& h, event::Record r) {
      if (auto* e = std::get_if<E>(&r.event)) how(*e);
      tales.tell(at, h, r);
    };
  }

  World w;
  Host& a;
  Host& b;
  Tampered& tales;
};

}  // namespace pw::sim
