// Rig: two homes with a session, and servers between them; pings go both ways all the time.
#pragma once

#include "sim/inflict.hpp"
#include "sim/nat/homes.hpp"
#include "sim/recovery/trouble.hpp"

namespace pw::sim::recovery {

class Rig : public TwoHomes {
 public:
  static constexpr Duration kPing = 100ms;
  static constexpr Duration kSettles = 15s;  // after a session went where it belongs: standbys are warm
  static constexpr Duration kUsual = 20s;    // for most of what has to happen

  /// `second`: another server beside the first.
  Rig(std::uint64_t seed, const Home& first, const Home& second, bool second_server = false);

  /// Direct, or relayed, and settled; false if that does not come about.
  bool begin(bool direct);
  /// The fault, from now on; the world as it was before is remembered.
  Faults::Id inflict(FaultKind kind, std::size_t host, std::optional<Duration> lasts, std::optional<std::size_t> other = {},
                     double amount = 0, net::Router* router = nullptr);
  /// Until an echo that was asked after `from` is answered, at both ends.
  Outcome outcome(Instant from, Duration limit);
  /// The server whose relay carries what a sends to b.
  Host& relay_in_use();
  Host& end(std::size_t i) const { return i == 0 ? *a : *b; }

  Faults faults;
  std::vector<Host*> servers;
  Instant broken{};  // when the fault began

 private:
  void ping();
  std::optional<Duration> first_echo(const Host& host, Instant from) const;
  Duration noticed(const Host& host) const;

  std::uint64_t packets_before_ = 0;
};

}  // namespace pw::sim::recovery
