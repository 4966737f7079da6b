// Port: a real host's plug in a segment of the simulated internet: what the host sends comes out of its cable and is
// under way; what arrives for it goes back into the cable as a frame.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "functional/wire/cable.hpp"
#include "functional/wire/neighbour.hpp"
#include "functional/wire/timeline.hpp"
#include "sim/net/net.hpp"

namespace pw::lab {

class Port : public net::Device {
 public:
  Port(net::Net& net, const Timeline& timeline, std::string name, Cable cable);

  /// Once, before anything else: the interface that it is.
  void plug(net::Interface& interface) { interface_ = &interface; }
  /// Asks the host for its hardware address: until something came from it, frames to it go to all (and TCP takes none
  /// of those).
  void ask();
  /// The host's end of the cable loses its carrier, or has it again.
  Status set_carrier(bool on) { return cable_.switch_on(on); }

  int fd() const { return cable_.fd(); }
  /// When the oldest frame that waits came, in CLOCK_REALTIME; none: nothing waits.
  std::optional<Duration> waiting_since() const;
  /// Takes that frame at the net's present time.
  void take();
  /// What the socket complains about is known (its interface went down), and need not wake us again.
  void hear_complaint() { cable_.hear_complaint(); }
  /// Frames that arrived are on their way into the cable.
  void flush() { cable_.flush(); }

  void arrive(net::Interface& at, net::Packet packet) override;

  struct Counts {
    std::uint64_t received = 0;   // frames
    std::uint64_t packets = 0;    // of them, put under way
    std::uint64_t neighbour = 0;  // ARP and neighbour solicitations
    std::array<std::uint64_t, enum_count<Unusable>()> unusable{};
    std::uint64_t overfull = 0;   // too many packets were under way
    std::uint64_t formless = 0;   // arrived, but have no form on a wire
    Cable::Counts cable;
  };
  Counts counts();

 private:
  void take(const Cable::Received& received);
  bool owns(const IpAddress& address) const;

  const Timeline& timeline_;
  Cable cable_;
  net::Interface* interface_ = nullptr;
  Mac host_ = kBroadcast;
  std::uint16_t identification_ = 0;
  Counts counts_;
};

}  // namespace pw::lab
