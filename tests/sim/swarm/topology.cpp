#include "sim/swarm/topology.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::sim {
namespace {

using net::Dependence;

// To and from the router. Nothing is nearer than that.
constexpr Duration kLanDelay = 200us;
constexpr Duration kCarrierDelay = 5ms;

IpAddress ip(const std::string& text) {
  const auto parsed = IpAddress::parse(text);
  PW_CHECK(parsed);
  return *parsed;
}

template <class E>
E any(Rng& rng) {
  return static_cast<E>(rng.below(enum_count<E>()));
}

net::NatOptions draw_nat(Rng& rng) {
  net::NatOptions nat;
  nat.mapping = any<Dependence>(rng);
  nat.filtering = any<Dependence>(rng);
  nat.ports = any<net::PortAllocation>(rng);
  nat.step = rng.chance(0.5) ? 1 : -2;
  nat.hairpin = rng.chance(0.5) ? net::Hairpin::none : net::Hairpin::external_source;
  nat.timeout = rng.chance(0.3) ? Duration{30s} : Duration{120s};
  nat.inbound_refreshes = rng.chance(0.5);
  nat.input_accepts = rng.chance(0.3);
  return nat;
}

/// Most are good; some are slow, far away or lose a little.
Link draw_access(Rng& rng) {
  Link link;
  if (rng.chance(0.3)) link.delay = 1ms + rng.up_to(40ms);
  if (rng.chance(0.15)) link.jitter = rng.up_to(15ms);
  if (rng.chance(0.1)) link.loss = rng.unit() * 0.03;
  if (rng.chance(0.15)) link.rate = 100e3 + rng.unit() * 400e3;
  return link;
}

}  // namespace

Topology::Topology(World& world, std::size_t hosts, Rng& rng) : world_{world} {
  Site internet;
  internet.name = internet.lan = "11.0.0";
  internet.segment = &world.internet;
  internet.lan6 = "2001:db8:0:0:";
  sites_.push_back(std::move(internet));
  std::size_t carrier = 0;
  place(0, rng);  // somebody can be reached
  while (places_.size() < hosts) {
    const double kind = rng.unit();
    std::size_t site = 0;
    if (kind > 0.9)
      site = add_blocked(rng);
    else if (kind > 0.75)
      site = rng.chance(0.3) ? (carrier = carrier ? carrier : add_carrier(rng))
                             : add_home(carrier = carrier ? carrier : add_carrier(rng), rng);
    else if (kind > 0.35)
      site = add_home(0, rng);
    for (std::size_t n = site == 0 ? 1 : 1 + rng.below(3); n > 0 && places_.size() < hosts; --n) place(site, rng);
  }
  for (net::Router* router : nats_) configure(*router);
  draw_distances(rng);
}

std::size_t Topology::add_site(Site site, const Link& access, std::vector<IpAddress> inner,
                               std::vector<net::Prefix> behind) {
  Link cable;
  cable.delay = site.name == "carrier" ? kCarrierDelay : kLanDelay;
  site.segment = &world_.net.add_segment(site.name, cable);
  site.router = &world_.net.add_router(site.name, site.options);
  site.router->attach_outer(*sites_[site.parent].segment, site.outer, access);
  site.router->attach_inner(*site.segment, std::move(inner), behind);
  if (site.router->nat()) nats_.push_back(site.router);
  sites_.push_back(std::move(site));
  return sites_.size() - 1;
}

std::size_t Topology::add_home(std::size_t parent, Rng& rng) {
  const std::string number = std::to_string(sites_.size());
  Site site;
  site.name = "home" + number;
  site.parent = parent;
  site.options.nat = draw_nat(rng);
  // Addresses of different homes are the same, as they are.
  site.lan = std::vector<std::string>{"192.168.0", "192.168.1", "10.0.0"}[rng.below(3)];
  site.outer = {ip((parent == 0 ? "11.0.1." : sites_[parent].lan + ".") +
                   std::to_string(parent == 0 ? sites_.size() : 200 - sites_.size()))};
  std::vector<IpAddress> inner{ip(site.lan + ".1")};
  std::vector<net::Prefix> behind;
  if (parent == 0 && rng.chance(0.4)) {
    site.lan6 = "2001:db8:" + number + ":0:";
    site.outer.push_back(ip("2001:db8:0:1::" + number));
    inner.push_back(ip(site.lan6 + ":1"));
    behind.push_back({ip(site.lan6 + ":"), 64});
    site.options.firewall.stateful = rng.chance(0.7);
  }
  return add_site(std::move(site), draw_access(rng), std::move(inner), std::move(behind));
}

std::size_t Topology::add_carrier(Rng& rng) {
  Site site;
  site.name = "carrier";
  site.options.nat = draw_nat(rng);
  site.lan = "100.64.0";
  site.outer = {ip("11.0.2.1"), ip("11.0.2.2")};
  return add_site(std::move(site), draw_access(rng), {ip("100.64.0.1")}, {});
}

std::size_t Topology::add_blocked(Rng& rng) {
  const std::string number = std::to_string(sites_.size());
  Site site;
  site.name = "office" + number;
  site.options.nat = draw_nat(rng);
  site.options.firewall.udp_blocked = true;
  site.lan = "172.16.0";
  site.outer = {ip("11.0.3." + number)};
  return add_site(std::move(site), {}, {ip("172.16.0.1")}, {});
}

void Topology::place(std::size_t index, Rng& rng) {
  Site& site = sites_[index];
  const std::size_t host = places_.size();
  const std::string number = std::to_string(index == 0 ? host + 1 : 10 + site.hosts);
  ++site.hosts;
  Place p;
  p.name = "h" + std::to_string(host);
  p.site = index;
  p.addresses = {ip(site.lan + "." + number)};
  if (!site.lan6.empty() && (index != 0 || rng.chance(0.5))) p.addresses.push_back(ip(site.lan6 + ":" + number));
  // Who is open to everybody by a mapping has no firewall in front; a carrier maps nothing for anybody.
  const bool open = site.name.starts_with("home") && !site.options.firewall.stateful;
  // Nor may a mapping end while a session that uses it is silent.
  if (open && site.options.nat->timeout >= 120s && rng.chance(0.6))
    p.mapped = SocketAddress{site.outer.front(), static_cast<std::uint16_t>(Host::kPort + site.hosts - 1)};
  net::Machine& machine = world_.net.add_machine(p.name);
  machine.attach(*site.segment, p.addresses, index == 0 ? draw_access(rng) : Link{});
  machine.set_clock(rng.up_to(1000h));
  world_.add(p.name, machine);
  auto& known = world_.names.known[p.name + ".example"];
  known = p.addresses;
  if (p.mapped) known.push_back(p.mapped->ip);
  places_.push_back(std::move(p));
}

void Topology::draw_distances(Rng& rng) {
  for (std::size_t i = 0; i < places_.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const bool near = places_[i].site == places_[j].site && places_[i].site != 0;
      Link link;
      link.delay = near ? 200us + rng.up_to(1ms) : 1ms + rng.up_to(80ms);
      if (!near && rng.chance(0.2)) link.jitter = rng.up_to(10ms);
      world_.both_ways(world_.host(i), world_.host(j), link);
    }
}

// ---- who reaches whom

bool Topology::within(std::size_t site, std::size_t outer) const {
  while (site != outer && site != 0) site = sites_[site].parent;
  return site == outer;
}

/// Through all routers between a site and the internet.
bool Topology::udp_passes(std::size_t site) const {
  for (; site != 0; site = sites_[site].parent)
    if (sites_[site].options.firewall.udp_blocked) return false;
  return true;
}

bool Topology::goes_out(std::size_t host) const {
  const Place& p = places_[host];
  return udp_passes(p.site) && std::ranges::any_of(p.addresses, [](const IpAddress& x) { return x.family() == Family::v4; });
}

bool Topology::has_v6(std::size_t host) const {
  return std::ranges::any_of(places_[host].addresses, [](const IpAddress& x) { return x.family() == Family::v6; });
}

bool Topology::may_meet(std::size_t a, std::size_t b) const {
  return reaches(a, b) || reaches(b, a) || (has_v6(a) && has_v6(b)) || places_[a].mapped || places_[b].mapped;
}

/// Its NAT forgot all flows, and its daemon goes on sending to its peers: by other mappings than the static one, which
/// take the answers to those peers away for as long as anybody sends.
bool Topology::answers_stray(const Place& p) const {
  const Site& site = sites_[p.site];
  const net::NatOptions& nat = *site.options.nat;
  const bool natural = nat.mapping == net::Dependence::endpoint_independent && p.mapped->port == Host::kPort &&
                       nat.ports == net::PortAllocation::preserving && site.outer.size() == 1;
  return !natural && std::ranges::any_of(world_.faults(), [&](const Fault& f) {
    return f.router == site.router->name() && (f.kind == FaultKind::nat_reboot || f.kind == FaultKind::nat_addresses);
  });
}

bool Topology::reaches(std::size_t from, std::size_t to, const SocketAddress& at) const {
  const Place& a = places_[from];
  const Place& b = places_[to];
  const bool own = std::ranges::find(b.addresses, at.ip) != b.addresses.end() && at.port == Host::kPort;
  const bool mapped = b.mapped == at;
  if (!own && !mapped) return false;
  if (at.ip.family() == Family::v6 && !has_v6(from)) return false;
  if (a.site == b.site) return own || sites_[b.site].options.nat->hairpin != net::Hairpin::none;
  if (!udp_passes(a.site) || !udp_passes(b.site)) return false;
  if (at.ip.family() == Family::v6) return !sites_[b.site].options.firewall.stateful;
  // What the other side sent by itself to the same address still has another mapping, which takes the answers away.
  if (mapped && std::ranges::any_of(a.addresses, [&](const IpAddress& x) {
        return x.family() == Family::v4 && reaches(to, from, SocketAddress{x, Host::kPort});
      }))
    return false;
  if (mapped && answers_stray(b)) return false;
  // Outwards from one network to the next, as routers do, until somebody owns the address.
  const std::size_t where = mapped ? sites_[b.site].parent : b.site;
  if (!within(a.site, where)) return false;
  for (std::size_t site = a.site; site != where; site = sites_[site].parent)
    for (const Place& p : places_)
      if (p.site == site && std::ranges::find(p.addresses, at.ip) != p.addresses.end()) return false;
  return true;
}

bool Topology::reaches(std::size_t from, std::size_t to, const HostPort& address) const {
  if (const auto numeric = IpAddress::parse(address.host))
    return reaches(from, to, SocketAddress{*numeric, address.port});
  const auto found = world_.names.known.find(address.host);
  return found != world_.names.known.end() && std::ranges::any_of(found->second, [&](const IpAddress& x) {
           return reaches(from, to, SocketAddress{x, address.port});
         });
}

bool Topology::reaches(std::size_t from, std::size_t to) const {
  return std::ranges::any_of(addresses(to), [&](const HostPort& x) { return reaches(from, to, x); });
}

std::vector<HostPort> Topology::addresses(std::size_t host) const {
  const Place& p = places_[host];
  std::vector<HostPort> out;
  for (const IpAddress& x : p.addresses) out.push_back({x.to_string(), Host::kPort});
  if (p.mapped) out.push_back({p.mapped->ip.to_string(), p.mapped->port});
  out.push_back({p.name + ".example", p.mapped ? p.mapped->port : Host::kPort});
  return out;
}

void Topology::configure(net::Router& router) const {
  for (const Place& p : places_)
    if (p.mapped && sites_[p.site].router == &router)
      PW_CHECK(router.nat()->map(world_.now(), {p.addresses.front(), Host::kPort}, net::Protocol::udp, p.mapped->port,
                                 kNever));
}

std::vector<std::size_t> Topology::mapped_behind(const net::Router& router) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (places_[i].mapped && sites_[places_[i].site].router == &router) out.push_back(i);
  return out;
}

std::string Topology::to_string() const {
  std::string out;
  for (const Site& s : sites_) {
    if (!s.router) continue;
    out += s.name + " (" + s.lan + ", " + s.lan6 + ") behind " + sites_[s.parent].name;
    for (const IpAddress& x : s.outer) out += ' ' + x.to_string();
    if (s.options.nat)
      out += ": mapping " + std::string{pw::name(s.options.nat->mapping)} + ", filtering " +
             std::string{pw::name(s.options.nat->filtering)} + ", ports " + std::string{pw::name(s.options.nat->ports)};
    if (s.options.firewall.stateful) out += ", stateful";
    if (s.options.firewall.udp_blocked) out += ", no UDP";
    out += '\n';
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Place& p = places_[i];
    out += p.name + " = " + world_.host(i).id().to_short() + " in " + sites_[p.site].name;
    for (const IpAddress& x : p.addresses) out += ' ' + x.to_string();
    if (p.mapped) out += ", mapped from " + p.mapped->to_string();
    out += "; reaches";
    for (std::size_t j = 0; j < places_.size(); ++j)
      if (i != j && reaches(i, j)) out += ' ' + places_[j].name;
    out += '\n';
  }
  return out;
}

}  // namespace pw::sim
