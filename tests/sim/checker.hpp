// Checker: a rule that must hold in every run, whatever the scenario. It is told all that happens, as a stream: packets
// (net::Observer), events, starts and deaths; it keeps what it needs and complains once.
#pragma once

#include <string>
#include <string_view>

#include "event/command.hpp"
#include "event/event.hpp"
#include "sim/net/net.hpp"

namespace pw::sim {

class World;
class Host;

/// Of a complaint, behind a host's name.
inline std::string at_text(Instant at) { return " at " + std::to_string(to_seconds(at.time_since_epoch())) + " s: "; }

class Checker : public net::Observer {
 public:
  explicit Checker(std::string_view name) : name_{name} {}
  std::string_view name() const { return name_; }

  virtual void started(Instant, const Host&) {}  // a new instance, before its first event
  virtual void died(Instant, const Host&) {}     // killed, or stopped and gone
  virtual void recorded(Instant, const Host&, const event::Record&) {}
  virtual void commanded(Instant, const Host&, event::Ticket, const event::Command&) {}
  virtual void answered(Instant, const Host&, event::Ticket, const event::Answer&) {}
  /// Looks at the world as it stands: called whenever somebody asks for a verdict, at any moment of a run.
  virtual void look(const World&) {}

  /// The first rule that was broken, for people: which host, what, when. Empty while all is well.
  const std::string& broken() const { return broken_; }

 protected:
  void complain(std::string what) {
    if (broken_.empty()) broken_ = std::string{name_} + ": " + std::move(what);
  }

 private:
  std::string_view name_;
  std::string broken_;
};

}  // namespace pw::sim
