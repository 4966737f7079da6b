// StunServer: answers binding requests as RFC 5780 section 6 wants it, from two addresses and two ports.
#pragma once

#include <array>
#include <cstdint>

#include "sim/net/machine.hpp"
#include "sim/stun/stun_message.hpp"

namespace pw::net {

struct StunServerOptions {
  std::uint16_t primary_port = 3478;
  std::uint16_t alternate_port = 3479;
  /// False: an ordinary server, as most public ones: one address, neither OTHER-ADDRESS nor CHANGE-REQUEST.
  bool behaviour_discovery = true;
};

class StunServer : public Program {
 public:
  /// On the machine's first two addresses of `family`; with behaviour discovery it must have two.
  StunServer(Machine& machine, Family family, StunServerOptions options = {});
  ~StunServer() override;
  StunServer(const StunServer&) = delete;
  StunServer& operator=(const StunServer&) = delete;

  /// What clients are told to ask: the first address with the primary port.
  SocketAddress primary() const { return {addresses_[0], options_.primary_port}; }
  SocketAddress alternate() const { return {addresses_[1], options_.alternate_port}; }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t ignored() const { return ignored_; }

  void handle_arrival(Instant now, const Arrival& arrival) override;

 private:
  std::uint16_t other_port(std::uint16_t port) const;
  IpAddress other_ip(const IpAddress& ip) const;

  Machine& machine_;
  StunServerOptions options_;
  std::array<IpAddress, 2> addresses_{};
  std::uint64_t answered_ = 0;
  std::uint64_t ignored_ = 0;
};

}  // namespace pw::net
