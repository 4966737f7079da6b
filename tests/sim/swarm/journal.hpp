// Journal: a run for people to read, a line for everything that happened. Digest: the same as one number, to tell two runs
// apart.
#pragma once

#include <cstdint>
#include <ostream>

#include "sim/checker.hpp"

namespace pw::sim {

class Journal : public Checker {
 public:
  /// `packets`: each of them too, at its start and where it ends.
  Journal(const World& world, std::ostream& out, bool packets)
      : Checker{"journal"}, world_{world}, out_{out}, packets_{packets} {}
  void note(const std::string& text);
  void started(Instant, const Host& host) override;
  void died(Instant, const Host& host) override;
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void commanded(Instant, const Host& host, event::Ticket ticket, const event::Command& command) override;
  void answered(Instant, const Host& host, event::Ticket ticket, const event::Answer& answer) override;
  void sent(Instant, const net::Machine& from, const net::Packet& packet) override;
  void arrived(Instant, const net::Machine& at, const net::Packet& packet) override;
  void dropped(Instant, const net::Packet& packet, net::Drop why, std::string_view where) override;

 private:
  void line(const Host& host, const std::string& text);

  const World& world_;
  std::ostream& out_;
  bool packets_;
};

class Digest : public Checker {
 public:
  Digest() : Checker{"digest"} {}
  void recorded(Instant at, const Host& host, const event::Record& record) override;
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override;
  std::uint64_t value() const { return value_; }

 private:
  void mix(std::uint64_t value);

  std::uint64_t value_ = 1469598103934665603ULL;
};

}  // namespace pw::sim
