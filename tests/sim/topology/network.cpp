#include "sim/topology/network.hpp"

#include <algorithm>
#include <array>

namespace pw::sim::scenario {
namespace {

std::array<const Attachment*, 2> legs(const Router& router) { return {&router.outer, &router.inner}; }

/// Who is plugged in where, routers included: {device, segment}.
std::vector<std::pair<std::string, std::string>> all_plugs(const Scenario& scenario) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Router& router : scenario.routers)
    for (const Attachment* leg : legs(router)) out.emplace_back(router.name, leg->segment);
  for (const Host& host : scenario.hosts)
    for (const Attachment& at : host.attach) out.emplace_back(host.name, at.segment);
  return out;
}

}  // namespace

Plan Plan::whole(const Scenario& scenario) {
  Plan out;
  for (const Segment& segment : scenario.segments) out.segments.insert(segment.name);
  for (const Router& router : scenario.routers) out.routers.insert(router.name);
  return out;
}

Result<Plan> Plan::around(const Scenario& scenario, const std::set<std::pair<std::string, std::string>>& plugs) {
  const auto declared = all_plugs(scenario);
  for (const auto& plug : plugs) {
    const auto times = std::ranges::count(declared, plug);
    if (times == 0) return fail(plug.first + " is not plugged into " + plug.second + " in this file");
    if (times > 1) return fail(plug.first + " is plugged into " + plug.second + " twice: which is meant can't be said");
  }

  Plan out = whole(scenario);
  for (const auto& plug : plugs) out.routers.erase(plug.first);  // real ones
  // A segment without one of its devices falls, then the routers on it, then their segments.
  std::map<std::string, std::string> missing;
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [device, segment] : declared) {
      if (out.routers.contains(device)) {
        if (!out.segments.contains(segment)) changed = out.routers.erase(device) > 0;
      } else if (!plugs.contains({device, segment}) && out.segments.erase(segment) > 0) {
        missing[segment] = device;
        changed = true;
      }
    }
  }
  for (const auto& [device, segment] : plugs)
    if (!out.segments.contains(segment))
      return fail(segment + " can't be carried: " + missing[segment] + " is plugged into it, too, and neither given nor simulated");
  return out;
}

Network::Network(net::Net& net, const Scenario& scenario, const Plan& plan, const Attach& attach) {
  for (const Segment& part : scenario.segments)
    if (plan.segments.contains(part.name)) segments_[part.name] = &net.add_segment(part.name, part.link, part.hops);
  for (const Router& part : scenario.routers) {
    if (plan.routers.contains(part.name))
      add_router(net, part);
    else
      plug_router(part, plan, attach);
  }
  for (const Host& part : scenario.hosts)
    for (const Attachment& at : part.attach)
      if (net::Segment* segment = this->segment(at.segment)) plug(part.name, attach(part.name, at, *segment));
}

void Network::add_router(net::Net& net, const Router& part) {
  net::Router& router = net.add_router(part.name, part.options);
  routers_[part.name] = &router;
  plug(part.name, router.attach_outer(*segments_.at(part.outer.segment), part.outer.addresses, part.outer.access));
  net::Interface& inner =
      router.attach_inner(*segments_.at(part.inner.segment), part.inner.addresses, part.behind);
  inner.up.link = inner.down.link = part.inner.access;
  plug(part.name, inner);
}

/// A router of the caller's: what simulated ones tell their segments by themselves.
void Network::plug_router(const Router& part, const Plan& plan, const Attach& attach) {
  for (const Attachment* leg : legs(part)) {
    if (!plan.segments.contains(leg->segment)) continue;
    net::Segment& segment = *segments_.at(leg->segment);
    net::Interface& interface = attach(part.name, *leg, segment);
    plug(part.name, interface);
    if (leg == &part.outer)
      for (const net::Prefix& prefix : part.behind) segment.add_route(prefix, interface);
    else
      for (const IpAddress& address : leg->addresses) segment.set_gateway(address.family(), interface);
  }
}

net::Segment* Network::segment(const std::string& name) const {
  const auto found = segments_.find(name);
  return found == segments_.end() ? nullptr : found->second;
}

net::Router* Network::router(const std::string& name) const {
  const auto found = routers_.find(name);
  return found == routers_.end() ? nullptr : found->second;
}

std::vector<net::Interface*> Network::plugs(const std::string& device) const {
  std::vector<net::Interface*> out;
  for (const auto& [name, interface] : plugs_)
    if (name == device) out.push_back(interface);
  return out;
}

Status Network::link(const std::string& from, const std::string& to, const net::Link& link, bool both) {
  for (net::Interface* a : plugs(from)) {
    for (net::Interface* b : plugs(to)) {
      if (&a->segment != &b->segment || a == b) continue;
      a->segment.wire(*a, *b).link = link;
      if (both) a->segment.wire(*b, *a).link = link;
      return {};
    }
  }
  return fail(from + " and " + to + " share no segment here");
}

Status Network::reboot(const std::string& router, Duration d) {
  net::Router* const found = this->router(router);
  if (found == nullptr) return fail("no router " + router + " is simulated here");
  found->reboot(d);
  return {};
}

Status Network::change_addresses(const std::string& router, std::vector<IpAddress> addresses) {
  net::Router* const found = this->router(router);
  if (found == nullptr) return fail("no router " + router + " is simulated here");
  found->change_addresses(std::move(addresses));
  return {};
}

}  // namespace pw::sim::scenario
