#include "mesh/whereabouts.hpp"

#include <algorithm>
#include <utility>

namespace pw::mesh {
namespace {

using nat::CandidateKind;

/// RFC 8445 section 5.1.1: ours to offer.
class Offer {
 public:
  explicit Offer(nat::Surroundings& around) : around_{around} {}
  void add(CandidateKind kind, const SocketAddress& address, unsigned order = 0) {
    // What can't be one (loopback, say, where a server runs on this machine) is left out; a second way to know one is none.
    static_cast<void>(list_.add_own({kind, address, Via::own, nat::candidate_priority(kind, address.ip.family(), order)}, around_));
  }
  /// As add(); and it is this node's, whoever offers it: not by one server's word, who could keep us from a peer by it.
  void add_proved(CandidateKind kind, const SocketAddress& address) {
    add(kind, address);
    if (std::ranges::find(around_.own, address.ip) == around_.own.end()) around_.mapped.push_back(address);
  }
  const std::vector<nat::Candidate>& all() const { return list_.all(); }

 private:
  nat::Surroundings& around_;
  nat::CandidateList list_;
};

peer::Whereabouts locate(const std::vector<SocketAddress>& listening, const Surroundings& surroundings,
                         const Services& services, const PortKeeper& ports, const std::optional<IpAddress>& gateway_v6) {
  peer::Whereabouts out;
  out.told = surroundings.enabled();
  out.around.own = surroundings.addresses();
  if (ports.gateway()) out.around.gateways.push_back(ports.gateway()->address);
  if (gateway_v6) out.around.gateways.push_back(*gateway_v6);
  Offer offer{out.around};
  unsigned hosts = 0;
  for (const SocketAddress& socket : listening)
    for (const IpAddress& ip : surroundings.usable(socket.ip.family())) {
      if (!socket.ip.is_unspecified() && socket.ip != ip) continue;
      if (nat::refusal_of({ip, socket.port}) == nat::Refusal::none)
        out.families[static_cast<std::size_t>(ip.family())] = true;
      if (hosts < kMaxHostCandidates) offer.add(CandidateKind::host, {ip, socket.port}, hosts++);
    }
  nat::Side side;
  side.predicts = side.searches = surroundings.terms().prediction;
  for (const event::NatFamily& family : surroundings.snapshot().families) {
    if (!family.behaviour) continue;
    side.behaviour[static_cast<std::size_t>(family.family)] = *family.behaviour;
    if (family.behaviour->mapped) offer.add_proved(CandidateKind::server_reflexive, *family.behaviour->mapped);
  }
  for (const Sighting& seen : services.sightings()) offer.add(CandidateKind::server_reflexive, seen.address);
  // Before something from outside came through it, it is the gateway's word, and told to nobody.
  if (const auto mapping = ports.snapshot(); mapping && mapping->mapped && mapping->mapped->verified)
    offer.add(CandidateKind::port_mapped, mapping->mapped->external);
  side.candidates = offer.all();
  for (const Family family : {Family::v4, Family::v6})
    for (const SocketAddress& server : surroundings.servers(family)) out.stun.push_back(server);
  out.message = nat::to_wire(side);
  return out;
}

}  // namespace

bool Locator::update(peer::Whereabouts& here, const Surroundings& surroundings, const Services& services,
                     const PortKeeper& ports, const std::optional<IpAddress>& gateway_v6) {
  const std::array now{surroundings.revision(), services.revision(), ports.revision()};
  const bool same_gateway = std::exchange(gateway_v6_, gateway_v6) == gateway_v6;
  if (std::exchange(known_, now) == now && same_gateway) return false;
  const auto before = std::exchange(here, locate(listening_, surroundings, services, ports, gateway_v6));
  const bool told = before.told != here.told || before.message != here.message;
  here.revision = before.revision + (told ? 1 : 0);
  return told || before.around != here.around || before.families != here.families;
}

std::vector<event::OwnCandidate> candidates_of(const peer::Whereabouts& here) {
  std::vector<event::OwnCandidate> out;
  if (!here.told) return out;
  for (const nat::Candidate& c : nat::side_of(here.message).candidates) out.push_back({c.kind, c.address, c.priority});
  return out;
}

}  // namespace pw::mesh
