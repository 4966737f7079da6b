#include "sim/matrix/told.hpp"

#include <algorithm>

#include "sim/behaviour/verdict.hpp"
#include "sim/stun/declared.hpp"

namespace pw::sim::matrix {
namespace {

using event::TraversalFailure;
using event::TraversalMethod;
using event::TraversalResult;

net::Behaviour truth_of(const World& world, const Host& host) {
  net::Behaviour seen = net::declared_public();
  for (net::Router* router : world.routers_of(host)) {
    net::Behaviour own = net::declared(router->nat()->options(), 1);
    if (router->firewall().options().udp_blocked) own = net::declared(router->firewall().options());
    seen = net::behind(seen, own);
  }
  return seen;
}

/// What losses kept it from finding out it may call unknown.
std::string nat_wrongly(const World& world, const Host& host, bool lossless) {
  const auto families = host.snapshot().nat.families;
  if (families.at(0).state != event::NatState::measured) return "its NAT is not measured";
  const event::NatBehaviour& found = families[0].behaviour.value();
  for (const std::string& wrong : net::differences(truth_of(world, host), found)) {
    const bool unknown = wrong.ends_with("found unknown") || (wrong.starts_with("step") && found.step == 0);
    if (lossless || !unknown) return wrong;
  }
  return {};
}

std::string mapping_wrongly(const Host& host, const Cell& cell) {
  if (!host.nat.map_port) return {};
  const auto mapping = host.snapshot().nat.mapping;
  if (!mapping || !mapping->mapped) return "its port is not mapped";
  return mapping->mapped->protocol == cell.mapped ? "" : "it tells of another protocol";
}

/// By the addresses of the other's machine and of the routers in front of it.
std::string path_wrongly(const World& world, const Host& host, const Host& other, const Watch& watch) {
  const auto peer = host.peer(other);
  if (peer.path != watch.path()) return "its snapshot tells another path than its events";
  if (!watch.is_direct()) return {};
  for (const event::PathSnapshot& path : peer.paths) {
    if (!path.in_use) continue;
    for (const net::Interface* plug : world.plugs(other))
      if (plug->has(path.address.remote.ip)) return {};
    return "it tells of a direct path to " + path.address.remote.to_string() + ", which is not the peer's";
  }
  return "it tells of no path in use";
}

std::string attempts_wrongly(const Watch& watch, const Cell& cell, bool lossless) {
  if (watch.started.size() != watch.ended.size()) return "an attempt has no end";
  if (watch.ended.empty()) {
    const bool needed = watch.connected && !(watch.is_direct() && cell.by_itself);
    return needed ? "it tells of no attempt" : "";
  }
  if (cell.by_itself && lossless) return "it tells of an attempt that was not needed";
  const event::TraversalEnded& last = watch.ended.back();
  const auto successes = std::ranges::count(watch.ended, TraversalResult::success, &event::TraversalEnded::result);
  if (!watch.is_direct()) {
    if (successes != 0) return "it tells of a success, and is not direct";
    if (lossless && last.failure != cell.failure) return "it says that it failed by " + std::string{pw::name(last.failure)};
    return {};
  }
  if (cell.by_itself) return {};
  if (last.result != TraversalResult::success || successes != 1) return "it is direct, and tells of no success";
  if (lossless && expected(cell.best) == Outcome::direct && last.method != cell.method && last.method != TraversalMethod::punch)
    return "it calls its method " + std::string{pw::name(last.method)};
  return {};
}

}  // namespace

std::string told_wrongly(const World& world, const Host& host, const Host& other, const Watch& watch, const Cell& cell,
                         bool lossless) {
  for (const std::string& wrong : {nat_wrongly(world, host, lossless), mapping_wrongly(host, cell), path_wrongly(world, host, other, watch),
                                   attempts_wrongly(watch, cell, lossless)})
    if (!wrong.empty()) return host.name() + ": " + wrong;
  return {};
}

}  // namespace pw::sim::matrix
