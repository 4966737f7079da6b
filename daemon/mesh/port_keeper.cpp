#include "mesh/port_keeper.hpp"

#include <utility>

#include "base/taken.hpp"

namespace pw::mesh {

void PortKeeper::configure(Instant now, bool wanted) {
  if (port_ == 0 || std::exchange(wanted_, wanted) == wanted) return;
  if (!wanted && mapping_) {
    mapping_->release(now);
    drain();
  }
  if (wanted) mapping_.reset();  // one that was released does nothing any more
  settle(now);
}

bool PortKeeper::handle_gateway(Instant now, const std::optional<event::Gateway>& gateway) {
  const bool first = !std::exchange(gateway_told_, true);
  if (gateway_ == gateway) return false;
  gateway_ = gateway;
  settle(now);
  return !first;
}

void PortKeeper::settle(Instant now) {
  ++revision_;
  if (!wanted_ || !gateway_) {
    if (wanted_ && mapping_) mapping_->handle_gateway(now, std::nullopt);
    drain();
    return close_socket();
  }
  if (!via_) {
    via_ = Via{next_via_++};
    out_.requests.emplace_back(event::OpenSocket{*via_, Family::v4});
  }
  if (!mapping_) mapping_.emplace(nat::PortMapping::Options{.port = port_}, rng_.split());
  if (!bound_) return;
  asked_ = gateway_;
  mapping_->handle_gateway(now, nat::Gateway{gateway_->address, gateway_->own});
  drain();
}

/// What is still to be sent goes first: the driver drains packets before requests.
void PortKeeper::close_socket() {
  if (via_) out_.requests.emplace_back(event::CloseSocket{*via_});
  via_.reset();
  bound_ = false;
}

bool PortKeeper::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  if (!owns(via)) return false;
  if (!bound) {  // until the gateway changes
    via_.reset();
    mapping_.reset();
    return true;
  }
  bound_ = true;
  settle(now);
  return true;
}

void PortKeeper::handle_datagram(Instant now, const PathAddress& from, ByteView bytes) {
  if (!mapping_ || !wanted_) return;
  mapping_->handle_datagram(now, from.remote, bytes);
  drain();
}

/// Also when nothing is wanted any more: a mapping that comes late is deleted.
void PortKeeper::handle_port_mapped(Instant now, const event::PortMapped& result) {
  if (!mapping_) return;
  mapping_->handle_upnp(now, {result.id, result.code, result.external, result.lifetime});
  drain();
}

void PortKeeper::handle_checked(Instant now, const MappingCheck::Verdict& verdict) {
  if (!mapping_) return;
  mapping_->handle_verified(now, verdict.address, verdict.reached);
  drain();
}

void PortKeeper::check(Instant now) {
  if (!mapping_ || !bound_) return;
  mapping_->check(now);
  drain();
}

void PortKeeper::handle_timeout(Instant now) {
  if (poll_timeout() > now) return;
  mapping_->handle_timeout(now);
  drain();
}

void PortKeeper::drain() {
  ++revision_;
  if (!mapping_ || !asked_) return;
  while (auto t = mapping_->poll_transmit())
    if (via_) transmits_.push_back({{asked_->own, t->to, *via_}, std::move(t->bytes), 0, 0});
  while (const auto request = mapping_->poll_request()) {
    const SocketAddress own{asked_->own, port_};
    if (const auto* map = std::get_if<nat::UpnpMap>(&*request))
      out_.requests.emplace_back(event::MapPort{map->id, map->gateway, map->own, map->wanted_port, map->lifetime});
    else if (const auto* unmap = std::get_if<nat::UpnpUnmap>(&*request))
      out_.requests.emplace_back(event::UnmapPort{unmap->gateway, own, unmap->outer_port});
  }
}

std::optional<Transmit> PortKeeper::poll_transmit() {
  return taken(transmits_);
}

std::optional<SocketAddress> PortKeeper::unverified() const {
  if (!wanted_ || !mapping_ || !mapping_->mapping() || mapping_->mapping()->verified) return std::nullopt;
  return mapping_->mapping()->external;
}

std::optional<event::PortMappingSnapshot> PortKeeper::snapshot() const {
  if (!wanted_) return std::nullopt;
  event::PortMappingSnapshot out;
  if (gateway_) out.gateway = gateway_->address;
  if (!mapping_) return out;
  for (std::size_t i = 0; i < out.protocols.size(); ++i) {
    const nat::MappingReport& report = mapping_->report(static_cast<event::MappingProtocol>(i));
    out.protocols[i].state = report.state;
    if (report.error != nat::MappingError::none) out.protocols[i].detail = nat::describe(report.error);
  }
  if (const auto& mapped = mapping_->mapping())
    out.mapped = event::MappedPort{mapped->protocol, mapped->external, mapped->expires, mapped->verified, {}};
  return out;
}

}  // namespace pw::mesh
