// Strangers: others in a network, whose flows begin at random times, each to a port of its own, and take ports of the NAT
// in front.
#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include "sim/net/recorder.hpp"

namespace pw::net {

class Strangers {
 public:
  /// `rate`: flows that begin in a second; `sink`: where they go, whether anybody is there or not. Outlives the net's run.
  Strangers(Net& n, Segment& lan, const std::string& name, std::string_view address, const IpAddress& sink, double rate)
      : net_{n}, rate_{rate}, sink_{sink}, rng_{n.rng_for(name)}, machine_{n, lan, name, address} {
    if (rate > 0) next();
  }
  Strangers(const Strangers&) = delete;
  Strangers& operator=(const Strangers&) = delete;

 private:
  void next() {
    net_.at(net_.now() + from_seconds(-std::log(1 - rng_.unit()) / rate_), [this] {
      machine_.send({sink_, ++flows_}, "a new flow");
      next();
    });
  }
  Net& net_;
  double rate_;
  IpAddress sink_;
  Rng rng_;
  Recorder machine_;
  std::uint16_t flows_ = 10000;
};

}  // namespace pw::net
