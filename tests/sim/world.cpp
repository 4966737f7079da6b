#include "sim/world.hpp"

#include "base/check.hpp"
#include "sim/check/all.hpp"

namespace pw::sim {
namespace {

constexpr Duration kDefaultDelay = 10ms;
// More than that in front of a host would be a loop.
constexpr std::size_t kMaxPlugs = 16;

net::Link default_conditions() {
  net::Link link;
  link.delay = kDefaultDelay;
  return link;
}

/// The machines of `add(name)`: 11.0.0.1 and on, which stands for addresses that anybody reaches.
IpAddress internet_address(std::size_t index) {
  const std::size_t n = index + 1;
  return IpAddress::v4(
      {11, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
}

}  // namespace

World::World(std::uint64_t seed, Rules rules)
    : net{seed}, internet{net.add_segment("internet", default_conditions())}, default_link{internet.default_link} {
  net.add_observer(*this);
  if (rules == Rules::none) return;
  for (auto& rule : all_rules(*this)) add(std::move(rule));
}

World::~World() {
  hosts_.clear();  // their machines live in the net
  for (const auto& checker : checkers_) net.remove_observer(*checker);
  net.remove_observer(*this);
}

// ---- topology

net::Machine& World::machine_on_the_internet(const std::string& name) {
  net::Machine& machine = net.add_machine(name);
  machine.attach(internet, {internet_address(hosts_.size())});
  return machine;
}

Host& World::add(std::string name) {
  net::Machine& machine = machine_on_the_internet(name);
  return add(std::move(name), machine);
}

Host& World::add(std::string name, net::Machine& machine) { return add(std::move(name), machine, hosts_.size()); }

Host& World::add_twin(const Host& of) {
  const std::string name = of.name() + "'s twin";
  return add(name, machine_on_the_internet(name), of.key());
}

Host& World::add(std::string name, net::Machine& machine, std::size_t key) {
  const std::size_t index = hosts_.size();
  Rng rng = net.rng_for("host " + std::to_string(index));
  hosts_.push_back(std::make_unique<Host>(*this, index, key, std::move(name), machine, std::move(rng)));
  return *hosts_.back();
}

void World::introduce_all() {
  for (auto& a : hosts_)
    for (auto& b : hosts_)
      if (a != b) a->membership.peers.push_back(b->spec());
}

void World::start_all() {
  for (auto& h : hosts_) h->start();
}

std::vector<net::Interface*> World::plugs(const Host& host) const {
  std::vector<net::Interface*> out = host.machine().interfaces();
  PW_CHECK(!out.empty());
  while (&out.back()->segment != &internet) {
    // Nobody inside owns the internet's first address, so this is the gateway, or a routed prefix's.
    net::Interface* gateway = out.back()->segment.next_hop(*out.back(), internet_address(0));
    auto* router = gateway ? dynamic_cast<net::Router*>(&gateway->device) : nullptr;
    PW_CHECK(router && out.size() < kMaxPlugs);
    out.push_back(&router->outer());
  }
  return out;
}

std::vector<net::Router*> World::routers_of(const Host& host) const {
  std::vector<net::Router*> out;
  for (net::Interface* plug : plugs(host))
    if (auto* router = dynamic_cast<net::Router*>(&plug->device)) out.push_back(router);
  return out;
}

Link& World::link(const Host& from, const Host& to) {
  const auto theirs = plugs(to);
  for (net::Interface* a : plugs(from))
    for (net::Interface* b : theirs)
      if (&a->segment == &b->segment) return a->segment.wire(*a, *b).link;
  PW_CHECK(false);  // all are behind the internet
  return default_link;
}

void World::both_ways(const Host& a, const Host& b, const Link& conditions) {
  link(a, b) = conditions;
  link(b, a) = conditions;
}

const Host* World::host_on(const net::Machine& machine) const {
  for (const auto& h : hosts_)
    if (&h->machine() == &machine) return h.get();
  return nullptr;
}

// ---- time

void World::run_for(Duration d) { net.run_until(net.now() + d); }

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const Instant end = net.now() + limit;
  while (!condition())
    if (!net.step(end)) {
      net.run_until(end);
      return condition();
    }
  return true;
}

// ---- faults

std::size_t World::begin(Fault fault) {
  fault.start = now();
  faults_.push_back(std::move(fault));
  return faults_.size() - 1;
}

void World::end(std::size_t fault) {
  PW_CHECK(!faults_.at(fault).end);
  faults_[fault].end = now();
}

// ---- rules

Checker& World::add(std::unique_ptr<Checker> checker) {
  net.add_observer(*checker);
  checkers_.push_back(std::move(checker));
  return *checkers_.back();
}

std::string World::verdict() {
  for (const auto& checker : checkers_) {
    checker->look(*this);
    if (!checker->broken().empty()) return checker->broken();
  }
  return {};
}

// ---- packets

void World::inject(const SocketAddress& from, const Host& to, Buffer bytes) {
  to.machine().inject(from, Host::kPort, std::move(bytes));
}

void World::arrived(Instant, const net::Machine& machine, const net::Packet& packet) {
  if (max_overheard == 0 || packet.protocol != net::Protocol::udp) return;
  const Host* to = host_on(machine);
  if (!to) return;
  if (overheard.size() == max_overheard) overheard.pop_front();
  overheard.push_back({packet.source, to->index(), packet.payload});
}

}  // namespace pw::sim
