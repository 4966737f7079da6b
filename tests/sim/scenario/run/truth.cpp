#include "sim/scenario/run/truth.hpp"

#include <algorithm>
#include <set>

#include "sim/inflict.hpp"

namespace pw::sim::scenario {
namespace {

std::string key_of(const Do& d) {
  switch (d.what) {
    case Act::kill:
    case Act::start:
    case Act::stop: return "process " + d.on;
    case Act::freeze: return "freeze " + d.on;
    case Act::unplug:
    case Act::plug: return "plug " + d.on;
    case Act::link: return "link " + d.on + " " + d.to;
    case Act::reboot: return "reboot " + d.on;
    case Act::addresses: return "addresses " + d.on;
  }
  return {};
}

struct Change {
  FaultKind kind;
  double amount;
};

/// How a link is worse than it is declared.
std::vector<Change> changes(const net::Link& declared, const net::Link& set) {
  std::vector<Change> out;
  const auto if_more = [&](FaultKind kind, double was, double is) {
    if (is > was) out.push_back({kind, is});
  };
  if_more(FaultKind::loss, declared.loss, set.loss);
  if_more(FaultKind::bursts, declared.bursts.enter, set.bursts.enter);
  if_more(FaultKind::delay, to_seconds(declared.delay), to_seconds(set.delay));
  if_more(FaultKind::jitter, to_seconds(declared.jitter), to_seconds(set.jitter));
  if_more(FaultKind::reorder, declared.reorder, set.reorder);
  if_more(FaultKind::duplicate, declared.duplicate, set.duplicate);
  if_more(FaultKind::corrupt, declared.corrupt, set.corrupt);
  if (set.mtu < declared.mtu) out.push_back({FaultKind::large_lost, static_cast<double>(set.mtu)});
  if (set.rate > 0 && (declared.rate == 0 || set.rate < declared.rate))
    out.push_back({FaultKind::throttled, set.rate});
  return out;
}

}  // namespace

void Truth::record(const Do& d) {
  const std::string key = key_of(d);
  end(key);
  const auto of_all_behind = [&](FaultKind kind, const std::string& router) {
    for (const std::size_t host : behind(d.on)) begin(open_[key], kind, host, {}, to_seconds(d.lasts), router);
  };
  switch (d.what) {
    case Act::kill:
    case Act::stop: return of_all_behind(FaultKind::crash, {});
    case Act::freeze: return of_all_behind(FaultKind::stopped, {});
    case Act::unplug: return of_all_behind(FaultKind::interface_down, {});
    case Act::start:
    case Act::plug: return;
    case Act::link: return link(d);
    case Act::reboot: return of_all_behind(FaultKind::nat_reboot, d.on);
    case Act::addresses:  // for good
      if (scenario_.router(d.on) != nullptr) return of_all_behind(FaultKind::nat_addresses, d.on);
      return of_all_behind(FaultKind::address_change, {});
  }
}

void Truth::over(const Do& done) { end(key_of(done)); }

void Truth::link(const Do& d) {
  end("link " + d.to + " " + d.on);  // the same wires, named the other way around
  Records& records = open_[key_of(d)];
  const net::Link declared = shared_segment(scenario_, d.on, d.to)->link;
  for (const std::size_t a : behind(d.on))
    for (const std::size_t b : behind(d.to)) {
      if (a == b) continue;
      if (!d.set.up) begin(records, d.both ? FaultKind::link_down : FaultKind::one_way, a, b, 0, {});
      for (const Change& change : changes(declared, d.set)) {
        begin(records, change.kind, a, b, change.amount, {});
        if (d.both) begin(records, change.kind, b, a, change.amount, {});
      }
    }
}

void Truth::begin(Records& records, FaultKind kind, std::size_t host, std::optional<std::size_t> other, double amount,
                  const std::string& router) {
  Fault fault;
  fault.kind = kind;
  fault.host = host;
  fault.other = other;
  fault.router = router;
  fault.amount = amount;
  fault.effect = effect_of(kind);
  records.push_back(world_.begin(std::move(fault)));
}

void Truth::end(const std::string& key) {
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  for (const std::size_t record : found->second) world_.end(record);
  open_.erase(found);
}

std::vector<std::size_t> Truth::behind(const std::string& device) const {
  std::set<std::string> inside;
  std::set<std::string> hosts;
  if (scenario_.host(device) != nullptr) hosts.insert(device);
  if (const Router* router = scenario_.router(device)) inside.insert(router->inner.segment);
  for (bool more = true; more;) {
    more = false;
    for (const Router& router : scenario_.routers)
      if (inside.contains(router.outer.segment)) more |= inside.insert(router.inner.segment).second;
  }
  for (const Host& host : scenario_.hosts)
    if (std::ranges::any_of(host.attach, [&](const Attachment& a) { return inside.contains(a.segment); }))
      hosts.insert(host.name);
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < world_.size(); ++i)
    if (hosts.contains(world_.host(i).name())) out.push_back(i);
  return out;
}

}  // namespace pw::sim::scenario
