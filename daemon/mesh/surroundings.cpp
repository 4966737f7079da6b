#include "mesh/surroundings.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "nat/port_mapping_wire.hpp"

namespace pw::mesh {

using event::NatState;

namespace {

// An event is a line for people: what a machine with more has lost at once is told by their number.
constexpr std::size_t kAddressesTold = 8;

/// Those in `a` that are not in `b`, without excluded ones.
std::string told(const event::Interfaces& a, const event::Interfaces& b) {
  event::Interfaces only;
  std::ranges::set_difference(a, b, std::back_inserter(only));
  std::erase_if(only, [](const event::InterfaceAddress& i) { return i.excluded; });
  std::string out;
  for (std::size_t i = 0; i < std::min(only.size(), kAddressesTold); ++i)
    out += (i == 0 ? "" : ", ") + only[i].ip.to_string() + " (" + only[i].interface + ")";
  if (only.size() > kAddressesTold) out += " and " + std::to_string(only.size() - kAddressesTold) + " more";
  return out;
}

/// Its port may be another with each measurement, and how long a mapping lives comes later.
bool same_kind(const event::NatBehaviour& a, const event::NatBehaviour& b) {
  const auto ip = [](const event::NatBehaviour& n) { return n.mapped ? std::optional{n.mapped->ip} : std::nullopt; };
  return a.udp == b.udp && a.mapping == b.mapping && a.mapping_at_least == b.mapping_at_least &&
         a.filtering == b.filtering && a.hairpin == b.hairpin && a.allocation == b.allocation && ip(a) == ip(b);
}

std::vector<SocketAddress> of_family(const std::vector<SocketAddress>& all, Family family) {
  std::vector<SocketAddress> out;
  std::ranges::copy_if(all, std::back_inserter(out), [&](const SocketAddress& a) { return a.ip.family() == family; });
  return out;
}

}  // namespace

std::uint16_t port_of(const std::vector<SocketAddress>& listening, Family family) {
  const auto socket = std::ranges::find(listening, family, [](const SocketAddress& a) { return a.ip.family(); });
  return socket == listening.end() ? std::uint16_t{0} : socket->port;
}

Surroundings::Surroundings(peer::Context& context, const std::vector<SocketAddress>& listening, Rng rng,
                           std::uint32_t& next_via)
    : context_{context},
      sides_{Side{Family::v4, port_of(listening, Family::v4), {Family::v4, {}, rng.split(), next_via}},
             Side{Family::v6, port_of(listening, Family::v6), {Family::v6, {}, rng.split(), next_via}}} {}

// ---- commands

void Surroundings::configure(Instant now, const NatTerms& terms) {
  const bool same = terms_.enabled == terms.enabled && terms_.stun_servers == terms.stun_servers;
  terms_ = terms;
  ++revision_;
  if (!same) measure_anew(now);
}

void Surroundings::measure_anew(Instant now) {
  if (context_.stopping) return;
  lookups_.clear();  // what they answer is of no use any more
  for (Side& side : sides_) forget(now, side);
  handle_timeout(now);
}

void Surroundings::stop() {
  lookups_.clear();
  for (Side& side : sides_) {
    side.discovery.stop();
    side.running = false;
    side.due = kNever;
    while (auto request = side.discovery.poll_request()) context_.out.requests.push_back(std::move(*request));
  }
}

/// What was found is of another network, or by servers that are asked no more.
void Surroundings::forget(Instant now, Side& side) {
  side.found.reset();
  measure_soon(now, side);
}

void Surroundings::measure_soon(Instant now, Side& side) {
  side.discovery.stop();
  side.running = false;
  side.due = kNever;
  side.state = NatState::off;
  if (wanted() && side.port != 0) {
    side.due = side.started ? std::max(now + kSettle, *side.started + kApart) : now + kSettle;
    side.state = NatState::measuring;
  }
  after(now, side);
}

// ---- this machine

bool Surroundings::handle_interfaces(Instant now, event::Interfaces interfaces) {
  std::ranges::sort(interfaces);
  if (interfaces_ == interfaces) return false;
  ++revision_;
  const std::array own{usable(Family::v4), usable(Family::v6)};
  const auto before = std::exchange(interfaces_, std::move(interfaces));
  addresses_.clear();
  for (const event::InterfaceAddress& i : *interfaces_) addresses_.push_back(i.ip);
  if (before) {
    event::NetworkChanged changed{told(*interfaces_, *before), told(*before, *interfaces_)};
    if (!changed.added.empty() || !changed.removed.empty()) context_.out.emit(now, std::move(changed));
  }
  bool changed = false;  // excluded ones come and go as containers do
  for (Side& side : sides_) {
    if (usable(side.family) == own[static_cast<std::size_t>(side.family)]) continue;
    changed = true;
    if (!context_.stopping) forget(now, side);
  }
  handle_timeout(now);
  return before && changed;
}

std::vector<IpAddress> Surroundings::usable(Family family) const {
  std::vector<IpAddress> out;
  for (const event::InterfaceAddress& i : interfaces_.value_or(event::Interfaces{}))
    if (!i.excluded && i.ip.family() == family) out.push_back(i.ip);
  return out;
}

// ---- the servers

void Surroundings::handle_bootstraps(Instant now, std::vector<SocketAddress> servers) {
  const auto before = std::exchange(bootstraps_, std::move(servers));
  if (context_.stopping) return;
  for (Side& side : sides_) {
    if (of_family(before, side.family) == of_family(bootstraps_, side.family)) continue;
    if (!wanted())
      forget(now, side);
    else if (side.running)
      side.due = *side.started + kApart;
    else
      measure_soon(now, side);
  }
  handle_timeout(now);
}

std::vector<SocketAddress> Surroundings::servers(Family family) const {
  std::vector<SocketAddress> all = of_family(named_, family);
  const std::vector<SocketAddress> further = of_family(bootstraps_, family);
  const auto outside = [](const SocketAddress& at) { return nat::is_public(at.ip); };
  const bool any_outside = std::ranges::any_of(all, outside) || std::ranges::any_of(further, outside);
  for (const SocketAddress& at : further) {
    const bool of_use = !at.ip.is_loopback() && (!any_outside || outside(at));
    if (of_use && std::ranges::find(all, at) == all.end()) all.push_back(at);
  }
  return all;
}

void Surroundings::look_up(Instant now) {
  named_.clear();
  unresolved_.clear();
  for (const HostPort& server : terms_.stun_servers) {
    if (const auto ip = IpAddress::parse(server.host)) {
      named_.push_back({*ip, server.port});
      continue;
    }
    lookups_.push_back({context_.next_resolve++, server});
    context_.out.requests.emplace_back(event::Resolve{lookups_.back().id, server.host});
  }
  if (lookups_.empty()) begin(now);
}

bool Surroundings::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  const auto asked = std::ranges::find(lookups_, id, &Lookup::id);
  if (asked == lookups_.end()) return false;
  const HostPort server = asked->server;
  lookups_.erase(asked);
  if (!addresses) unresolved_.push_back(server.host + ": " + addresses.error().detail);
  // One of each family: a name with many addresses is one server, and takes no other's place.
  const auto all = addresses.value_or(std::vector<IpAddress>{});
  for (const Family family : {Family::v4, Family::v6})
    if (const auto ip = std::ranges::find(all, family, &IpAddress::family); ip != all.end())
      named_.push_back({*ip, server.port});
  if (lookups_.empty()) begin(now);
  return true;
}

void Surroundings::begin(Instant now) {
  for (Side& side : sides_)
    if (side.due <= now) begin(now, side);
}

void Surroundings::begin(Instant now, Side& side) {
  side.due = kNever;  // until its addresses change
  side.state = NatState::no_address;
  const std::vector<IpAddress> own = usable(side.family);
  if (own.empty()) return;
  side.due = now + (unresolved_.empty() ? kAgain : kAgainUnresolved);
  side.state = NatState::no_server;
  const std::vector<SocketAddress> asked = servers(side.family);
  if (asked.empty()) return;
  side.due = now + kAgain;
  side.state = NatState::measuring;
  side.started = now;
  side.running = true;
  side.discovery.start(now, asked, own, side.port);
  after(now, side);
}

// ---- what is found

void Surroundings::after(Instant now, Side& side) {
  ++revision_;
  while (auto request = side.discovery.poll_request()) context_.out.requests.push_back(std::move(*request));
  if (side.state == NatState::measured) side.found = side.discovery.result();  // the lifetime comes later
  if (!side.running || !side.discovery.done()) return;
  side.running = false;
  side.state = NatState::measured;
  side.found = side.discovery.result();
  if (side.found->udp == event::Tested::no) side.due = earlier(side.due, now + kAgainBlocked);
  if (side.told && same_kind(*side.told, *side.found)) return;
  side.told = side.found;
  context_.out.emit(now, event::NatMeasured{*side.found});
}

bool Surroundings::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  for (Side& side : sides_) {
    if (!side.discovery.owns(via)) continue;
    side.discovery.handle_socket(now, via, bound);
    after(now, side);
    return true;
  }
  return false;
}

bool Surroundings::handle_stun(Instant now, Instant received_at, const PathAddress& from,
                               const wire::stun::Message& message) {
  Side& side = sides_[static_cast<std::size_t>(from.remote.ip.family())];
  if (!side.discovery.handle_stun(now, received_at, from, message)) return false;
  after(now, side);
  return true;
}

void Surroundings::handle_timeout(Instant now) {
  for (Side& side : sides_) {
    if (side.discovery.poll_timeout() > now) continue;
    side.discovery.handle_timeout(now);
    after(now, side);
  }
  const bool due = std::ranges::any_of(sides_, [&](const Side& side) { return side.due <= now; });
  if (due && lookups_.empty()) look_up(now);
}

std::optional<Transmit> Surroundings::poll_transmit() {
  for (Side& side : sides_)
    if (auto transmit = side.discovery.poll_transmit()) return transmit;
  return std::nullopt;
}

Instant Surroundings::poll_timeout() const {
  Instant next = kNever;
  for (const Side& side : sides_) {
    next = earlier(next, side.discovery.poll_timeout());
    if (lookups_.empty()) next = earlier(next, side.due);
  }
  return next;
}

bool Surroundings::owns(Via via) const {
  return std::ranges::any_of(sides_, [via](const Side& side) { return side.discovery.owns(via); });
}

event::NatSnapshot Surroundings::snapshot() const {
  event::NatSnapshot out{terms_.enabled, terms_.stun_servers, {}, unresolved_, {}};
  for (const Side& side : sides_)
    std::ranges::copy_if(servers(side.family), std::back_inserter(out.bootstraps), [&](const SocketAddress& at) {
      return std::ranges::find(named_, at) == named_.end();
    });
  for (const Side& side : sides_)
    if (side.port != 0) out.families.push_back({side.family, side.state, side.found});
  return out;
}

}  // namespace pw::mesh
