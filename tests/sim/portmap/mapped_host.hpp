// MappedHost: a machine behind a router whose only program keeps one port mapped by nat::PortMapping, as the daemon would:
// a socket of its own for the gateway, UPnP by calls that take a second, and a stranger outside who says whether what is
// mapped can be reached.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nat/port_mapping.hpp"
#include "sim/net/recorder.hpp"

namespace pw::net {

class MappedHost : public Program {
 public:
  static constexpr std::uint16_t kService = 9470;
  static constexpr Duration kUpnpTakes = 1s;

  MappedHost(Net& net, Segment& lan, Router& router, std::string_view name = "host", std::string_view address = "192.168.1.2",
             const Link& access = {})
      : net_{net}, router_{router}, machine_{&net.add_machine(std::string{name})}, own_{ip(address)} {
    machine_->attach(lan, {own_}, access);
    PW_CHECK(machine_->open(*this, kService));
    extra_ = machine_->open(*this, 0).value();
    start();
  }
  ~MappedHost() override { machine_->kill(*this); }

  /// The process starts (again): it remembers nothing.
  void start() {
    mapping.emplace(nat::PortMapping::Options{.port = kService}, net_.rng_for(machine_->name() + std::to_string(++starts_)));
    mapping->handle_gateway(machine_->now(), nat::Gateway{ip("192.168.1.1"), own_});
    drain();
    machine_->rearm(*this);
  }
  void release() {
    mapping->release(machine_->now());
    drain();
    machine_->rearm(*this);
  }
  void check() {
    mapping->check(machine_->now());
    drain();
    machine_->rearm(*this);
  }
  bool upnp_under_way() const { return upnp_under_way_ > 0; }
  /// Tells a check's result.
  void verified(const SocketAddress& external, bool reachable) {
    mapping->handle_verified(machine_->now(), external, reachable);
    drain();
    machine_->rearm(*this);
  }

  std::optional<nat::PortMapping> mapping;
  std::vector<std::string> got;  // at the port that is mapped
  std::size_t asked = 0;         // datagrams to the gateway

  Machine& machine() { return *machine_; }

  void handle_arrival(Instant now, const Arrival& a) override {
    if (a.port == kService) return got.emplace_back(as_text(a.bytes)), void();
    mapping->handle_datagram(now, a.path.remote, a.bytes);
    drain();
  }
  void handle_timeout(Instant now) override {
    mapping->handle_timeout(now);
    drain();
  }
  Instant poll_timeout() const override { return mapping->poll_timeout(); }

 private:
  void drain() {
    while (const auto t = mapping->poll_transmit()) {
      ++asked;
      machine_->send(extra_, {own_, t->to}, t->bytes);
    }
    for (; const auto request = mapping->poll_request(); ++upnp_under_way_)
      net_.at(net_.now() + kUpnpTakes, [this, request = *request] { upnp(request); });
  }

  void upnp(const nat::MappingRequest& request) {
    PortMapper& gateway = router_.port_mapper();
    --upnp_under_way_;
    if (const auto* unmap = std::get_if<nat::UpnpUnmap>(&request)) {
      static_cast<void>(gateway.delete_mapping(net_.now(), unmap->outer_port, Protocol::udp, router_.nat()));
      return;
    }
    const auto& map = std::get<nat::UpnpMap>(request);
    nat::UpnpResult result{map.id, 0, {{}, map.wanted_port}, map.lifetime};
    const auto external = gateway.external_address(router_.nat());
    const auto done = gateway.add_mapping(net_.now(), map.own.ip, map.own.port, map.wanted_port, Protocol::udp, map.lifetime,
                                          router_.nat());
    if (!done || !external)
      result.code = done || done.error().detail == "no gateway answers" ? nat::kUpnpNoGateway
                                                                        : std::stoi(done.error().detail);
    else
      result.external.ip = *external;
    mapping->handle_upnp(machine_->now(), result);
    drain();
    machine_->rearm(*this);
  }

  Net& net_;
  Router& router_;
  Machine* machine_;
  IpAddress own_;
  std::uint16_t extra_ = 0;
  int starts_ = 0;
  int upnp_under_way_ = 0;
};

}  // namespace pw::net
