#include "mesh/location.hpp"

#include <utility>

namespace pw::mesh {
namespace {

/// Who slept for so long may have woken behind other NATs, and these may have forgotten him.
constexpr Duration kSlept = 30s;

}  // namespace

void Location::configure(Instant now, const NatTerms& terms) {
  if (surroundings_.terms().packet_budget != terms.packet_budget) context_.limit_packets(terms.packet_budget);
  surroundings_.configure(now, terms);
  if (!context_.stopping) ports_.configure(now, terms.enabled && terms.map_port);
}

bool Location::update(Instant now, Services& services) {
  if (auto bootstraps = services.poll_stun_servers()) surroundings_.handle_bootstraps(now, std::move(*bootstraps));
  check_mapping(now, services);
  const auto gateway = gateway_v6_.value_or(std::nullopt);
  return locator_.update(context_.whereabouts, surroundings_, services, ports_,
                         gateway ? std::optional{gateway->address} : std::nullopt);
}

void Location::check_mapping(Instant now, Services& services) {
  while (const auto answer = services.poll_mapping_answer())
    check_.handle_answer(now, answer->server, answer->number, !answer->refusal);
  const std::array at{surroundings_.revision(), services.revision(), ports_.revision()};
  if (std::exchange(checked_, at) != at) {
    const event::NatBehaviour behaviour = surroundings_.behaviour(Family::v4).value_or(event::NatBehaviour{});
    check_.update(now, {ports_.unverified(), services.sightings(), behaviour.mapped, behaviour.filtering});
  }
  if (const auto ask = check_.poll_ask(); ask && !services.check_mapping(*ask))
    check_.handle_answer(now, ask->server, ask->number, false);
  if (const auto verdict = check_.poll_verdict()) ports_.handle_checked(now, *verdict);
}

void Location::stop(Instant now) {
  surroundings_.stop();
  ports_.release(now);
}

bool Location::handle_interfaces(Instant now, event::Interfaces interfaces) {
  return surroundings_.handle_interfaces(now, std::move(interfaces));
}

bool Location::handle_gateway(Instant now, const std::optional<event::Gateway>& gateway) {
  if (!ports_.handle_gateway(now, gateway)) return false;
  surroundings_.measure_anew(now);  // it is by other NATs now
  return true;
}

bool Location::handle_gateway_v6(Instant now, const std::optional<event::Gateway>& gateway) {
  const auto before = std::exchange(gateway_v6_, gateway);
  if (!before || *before == gateway) return false;
  surroundings_.measure_anew(now);
  return true;
}

void Location::handle_clock_jump(Instant now, Duration by) {
  ports_.check(now);
  if (by >= kSlept) surroundings_.measure_anew(now);
}

bool Location::handle_gateway_datagram(Instant now, const PathAddress& from, ByteView bytes) {
  if (!ports_.owns(from.via)) return false;
  ports_.handle_datagram(now, from, bytes);
  return true;
}

void Location::handle_timeout(Instant now) {
  surroundings_.handle_timeout(now);
  ports_.handle_timeout(now);
  check_.handle_timeout(now);
}

std::optional<Transmit> Location::poll_transmit() {
  auto asked = surroundings_.poll_transmit();
  return asked ? std::move(asked) : ports_.poll_transmit();
}

event::NatSnapshot Location::snapshot() const {
  event::NatSnapshot out = surroundings_.snapshot();
  out.mapping = ports_.snapshot();
  if (out.mapping && out.mapping->mapped && !out.mapping->mapped->verified)
    out.mapping->mapped->doubt = describe(check_.doubt());
  out.candidates = candidates_of(context_.whereabouts);
  return out;
}

}  // namespace pw::mesh
