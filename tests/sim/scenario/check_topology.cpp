// Whether the network of a scenario fits together.
#include <algorithm>
#include <map>
#include <set>

#include "base/nearest.hpp"
#include "sim/scenario/load.hpp"

namespace pw::sim::scenario {

using config::Problems;

namespace {

class Topology {
 public:
  Topology(const Draft& draft, Problems& problems) : s_{draft.scenario}, p_{draft.places}, problems_{problems} {
    for (const Segment& segment : s_.segments) segments_.push_back(segment.name);
    for (const Host& host : s_.hosts) hosts_.push_back(host.name);
  }

  void check() {
    std::map<std::string, std::string> owners;
    for (std::size_t i = 0; i < s_.segments.size(); ++i) name(owners, p_.segments[i], s_.segments[i].name);
    for (std::size_t i = 0; i < s_.routers.size(); ++i) name(owners, p_.routers[i], s_.routers[i].name);
    for (std::size_t i = 0; i < s_.hosts.size(); ++i) name(owners, p_.hosts[i], s_.hosts[i].name);
    for (std::size_t i = 0; i < s_.routers.size(); ++i) router(p_.routers[i], s_.routers[i]);
    for (std::size_t i = 0; i < s_.hosts.size(); ++i) host(p_.hosts[i], s_.hosts[i]);
    for (std::size_t i = 0; i < s_.routers.size(); ++i) circle(p_.routers[i], s_.routers[i]);
  }

 private:
  using At = Places::At;
  void problem(const At& at, const std::string& what, const std::string& hint = {}) {
    problems_.add(at.place, at.where + ": " + what, hint);
  }
  void name(std::map<std::string, std::string>& owners, const At& at, const std::string& name) {
    const auto [other, is_new] = owners.try_emplace(name, at.where);
    if (!is_new) problem(at, "the name is that of " + other->second + " already");
  }
  void unknown(const At& at, const std::string& what, const std::string& name, const std::vector<std::string>& known) {
    const auto meant = nearest(name, known);
    problem(at, "there is no " + what + " " + config::quoted(name),
            meant ? "did you mean " + config::quoted(*meant) + "?" : "");
  }

  void attachment(const At& at, const std::string& which, const Attachment& a) {
    if (s_.segment(a.segment) == nullptr) unknown(at, "segment", a.segment, segments_);
    if (a.addresses.empty()) problem(at, which + " has no addresses");
    for (const IpAddress& address : a.addresses) {
      const auto [other, is_new] = addresses_.try_emplace({a.segment, address}, at.where);
      if (!is_new) problem(at, address.to_string() + " is an address of " + other->second + " already");
    }
  }

  void router(const At& at, const Router& r) {
    attachment(at, "outer", r.outer);
    attachment(at, "inner", r.inner);
    if (r.outer.segment == r.inner.segment) return problem(at, "outer and inner are one segment");
    if (!inside_.insert(r.inner.segment).second)
      problem(at, "segment " + config::quoted(r.inner.segment) + " has another router in front of it already");
    const auto is_v4 = [](const IpAddress& a) { return a.family() == Family::v4; };
    if (r.options.nat && !r.outer.addresses.empty() && std::ranges::none_of(r.outer.addresses, is_v4))
      problem(at, "a NAT needs an IPv4 address outside");
  }

  void host(const At& at, const Host& h) {
    std::map<Family, std::size_t> addresses;
    for (const Attachment& a : h.attach) {
      attachment(at, "attach", a);
      for (const IpAddress& address : a.addresses) ++addresses[address.family()];
    }
    if (h.serves_stun && h.peers) problem(at, "serves something, so it runs no daemon: no peers");
    if (h.serves_stun && addresses[Family::v4] < 2 && addresses[Family::v6] < 2)
      problem(at, "a STUN server that discovers behaviour needs two addresses of one family");
    if (!h.peers) {
      if (!h.hidden.empty()) problem(at, "hidden without peers");
      if (!h.start) problem(at, "start without peers: it runs no daemon");
      return;
    }
    for (const std::string& peer : *h.peers) {
      const Host* other = s_.host(peer);
      if (other == nullptr)
        unknown(at, "host", peer, hosts_);
      else if (other == &h)
        problem(at, "is its own peer");
      else if (!other->peers)
        problem(at, "its peer " + config::quoted(peer) + " runs no daemon: it has no peers");
    }
    for (const std::string& hidden : h.hidden)
      if (std::ranges::find(*h.peers, hidden) == h.peers->end())
        problem(at, "hides " + config::quoted(hidden) + ", which is none of its peers");
  }

  /// A router whose way out leads back to itself.
  void circle(const At& at, const Router& r) {
    if (r.outer.segment == r.inner.segment) return;  // told already
    std::set<const Router*> seen;
    for (const Router* up = &r; up != nullptr;) {
      if (!seen.insert(up).second) return problem(at, "the way out of it leads in a circle");
      const auto next = std::ranges::find_if(
          s_.routers, [&](const Router& other) { return other.inner.segment == up->outer.segment; });
      up = next == s_.routers.end() ? nullptr : &*next;
    }
  }

  const Scenario& s_;
  const Places& p_;
  Problems& problems_;
  std::vector<std::string> segments_;
  std::vector<std::string> hosts_;
  std::set<std::string> inside_;
  std::map<std::pair<std::string, IpAddress>, std::string> addresses_;  // private ones may be used again elsewhere
};

}  // namespace

const Segment* shared_segment(const Scenario& s, std::string_view a, std::string_view b) {
  const auto segments_of = [&](std::string_view name) {
    std::vector<std::string> out;
    if (const Host* host = s.host(name))
      for (const Attachment& one : host->attach) out.push_back(one.segment);
    if (const Router* router = s.router(name)) out = {router->outer.segment, router->inner.segment};
    return out;
  };
  const auto of_b = segments_of(b);
  for (const std::string& segment : segments_of(a))
    if (std::ranges::find(of_b, segment) != of_b.end()) return s.segment(segment);
  return nullptr;
}

void check_topology(const Draft& draft, Problems& problems) { Topology{draft, problems}.check(); }

}  // namespace pw::sim::scenario
