#include "nat/behaviour.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "nat/behaviour_judge.hpp"
#include "nat/behaviour_leader.hpp"
#include "nat/behaviour_lifetime.hpp"
#include "nat/behaviour_questions.hpp"
#include "nat/behaviour_sockets.hpp"

namespace pw::nat {
namespace {

using event::NatFiltering;
using event::NatMapping;
using event::PortAllocation;
using event::Tested;

// Servers whose other address is tried: the first may name one that is dead.
constexpr unsigned kMostLeaders = 2;
// New mappings made on top where too few of the first ones were answered at once.
constexpr unsigned kMoreSamples = 3;

struct Server {
  SocketAddress at;
  std::optional<Outcome> outcome;
  std::optional<SocketAddress> other{};
  bool has_led = false;
};

struct Sample {
  Via via;
  std::uint16_t inner_port = 0;
  std::optional<Outcome> outcome{};
  SocketAddress outer{};
  bool at_once = false;
};

}  // namespace

struct BehaviourDiscovery::Impl {
  Impl(Family family, BehaviourOptions o, Rng rng, std::uint32_t& next_via)
      : options{o},
        questions{std::move(rng), o.interval, o.attempts},
        sockets{family, next_via},
        lifetime{questions, sockets} {
    PW_CHECK(o.attempts > 0 && o.interval > Duration{} && o.ports_sampled >= kFewestInOrder && o.max_servers > 0);
    result.family = family;
  }

  void stop();
  void after(Instant now);
  void handle_ended(Instant now, const Ended& ended);
  void handle_server(Instant now, const Ended& ended);
  void handle_leader(Instant now, const Ended& ended);
  void handle_sample(Instant now, const Ended& ended);
  void sample(unsigned more);
  void ask_hairpin(Instant now);
  void lead(Instant now);
  bool translated() const;
  bool waiting_for_server() const;
  void finish_if_over(Instant now);
  void judge();
  std::vector<PortSample> usable_samples() const;
  void learn_lifetime();
  void note(std::string why) {
    if (!why.empty()) result.not_tested.push_back(std::move(why));
  }

  BehaviourOptions options;
  Questions questions;
  Sockets sockets;
  LifetimeSearch lifetime;
  event::NatBehaviour result;
  bool started = false;
  bool done = false;
  std::vector<SocketAddress> own;
  std::vector<Server> servers;
  std::optional<std::size_t> sampled;  // the server that samples are asked of
  std::vector<Sample> samples;
  std::optional<Leader> leader;        // under way, or the one that told the filtering
  unsigned leaders = 0;
  std::vector<Sight> sights;
  FilteringVerdict filtering;
};

void BehaviourDiscovery::Impl::stop() {
  lifetime.stop();
  questions.clear();
  sockets.close_all();
  started = false;
}

/// Whether some NAT is in front of this node, as far as it was seen.
bool BehaviourDiscovery::Impl::translated() const {
  return std::ranges::any_of(sights, [&](const Sight& s) { return std::ranges::find(own, s.mapped) == own.end(); });
}

void BehaviourDiscovery::Impl::handle_server(Instant now, const Ended& ended) {
  Server& server = servers[ended.number];
  server.outcome = ended.outcome;
  if (ended.outcome != Outcome::silent) result.udp = Tested::yes;
  if (ended.outcome != Outcome::answered) return;
  ++result.servers;
  result.mapped = ended.mapped;
  sights.push_back({ended.number, server.at, *ended.mapped});
  if (ended.other && Leader::may_name(server.at, *ended.other)) server.other = ended.other;
  lead(now);
  if (!sampled) sampled = ended.number;
  if (samples.empty() && translated()) sample(options.ports_sampled);
}

/// Gives the lead to a server that named another address, if that is still needed.
void BehaviourDiscovery::Impl::lead(Instant now) {
  if (leader || leaders == kMostLeaders) return;
  const auto next = std::ranges::find_if(servers, [](const Server& s) { return s.other && !s.has_led; });
  if (next == servers.end()) return;
  next->has_led = true;
  ++leaders;
  leader.emplace(static_cast<std::size_t>(next - servers.begin()), next->at, *next->other, sockets.open());
  leader->ask_mapping(now, questions);
}

void BehaviourDiscovery::Impl::handle_leader(Instant now, const Ended& ended) {
  if (!leader || ended.number != leader->server()) return;  // it gave the lead away
  if (ended.mapped && (ended.topic == Topic::other_port || ended.topic == Topic::other_place)) {
    const bool port = ended.topic == Topic::other_port;
    sights.push_back({leader->server(), port ? leader->other_port() : leader->other_place(), *ended.mapped});
    result.mapped = ended.mapped;
    if (samples.empty() && translated()) sample(options.ports_sampled);
  }
  leader->handle_ended(questions, ended);
  if (!leader->finished()) return;
  filtering = leader->judge(questions);
  if (filtering.filtering != NatFiltering::unknown) return;
  sockets.close(leader->filter_socket());
  leader.reset();
  lead(now);
}

void BehaviourDiscovery::Impl::sample(unsigned more) {
  for (unsigned i = 0; i < more; ++i) samples.push_back({.via = sockets.open()});
}

void BehaviourDiscovery::Impl::handle_sample(Instant now, const Ended& ended) {
  Sample& s = samples[ended.number];
  s.outcome = ended.outcome;
  s.outer = ended.mapped.value_or(SocketAddress{});
  s.at_once = ended.at_once;
  if (!std::ranges::all_of(samples, [](const Sample& each) { return each.outcome.has_value(); })) return;
  if (samples.size() == options.ports_sampled &&
      judge_allocation(usable_samples()).allocation == PortAllocation::unknown)
    return sample(kMoreSamples);
  ask_hairpin(now);
}

std::vector<PortSample> BehaviourDiscovery::Impl::usable_samples() const {
  std::vector<PortSample> out;
  for (const Sample& s : samples)
    if (s.outcome == Outcome::answered) out.push_back({s.inner_port, s.outer, s.at_once});
  return out;
}

/// Two sockets aim at each other's outer address, as two nodes would: the first packet opens the filter for the next.
void BehaviourDiscovery::Impl::ask_hairpin(Instant now) {
  std::vector<const Sample*> two;
  for (const Sample& s : samples)
    if (s.outcome == Outcome::answered && two.size() < 2) two.push_back(&s);
  if (two.size() < 2) return note("hairpin: too few sockets were answered");
  for (const std::size_t i : {0U, 1U})
    questions.ask(now, {.topic = Topic::hairpin,
                        .number = i,
                        .via = two[i]->via,
                        .to = two[1 - i]->outer,
                        .arrives = two[1 - i]->via});
}

void BehaviourDiscovery::Impl::handle_ended(Instant now, const Ended& ended) {
  result.measured = now;
  switch (ended.topic) {
    case Topic::server: return handle_server(now, ended);
    case Topic::other_port:
    case Topic::other_place:
    case Topic::from_other_port:
    case Topic::from_other_place: return handle_leader(now, ended);
    case Topic::sample: return handle_sample(now, ended);
    case Topic::hairpin:
      if (ended.outcome == Outcome::answered) {
        result.hairpin = Tested::yes;
        questions.drop(Topic::hairpin);
      } else if (!questions.open(Topic::hairpin) && result.hairpin == Tested::unknown) {
        result.hairpin = Tested::no;
      }
      return;
    case Topic::lifetime:
      lifetime.handle_ended(now, ended);
      result.lifetime = lifetime.alive();
      result.expires = lifetime.gone();
      if (!lifetime.searching() && !lifetime.trouble().empty()) note("lifetime: " + lifetime.trouble());
      return;
  }
}

/// What is still to come from a server could tell more than there is.
bool BehaviourDiscovery::Impl::waiting_for_server() const {
  return questions.open(Topic::server) && !(leader && leader->finished());
}

void BehaviourDiscovery::Impl::finish_if_over(Instant now) {
  if (!started || done) return;
  if (questions.any_open_but(Topic::server) || waiting_for_server() || (leader && !leader->finished())) return;
  const bool sampling = std::ranges::any_of(samples, [](const Sample& s) { return !s.outcome; });
  if (sampling) return;
  questions.drop(Topic::server);
  done = true;
  result.measured = now;
  judge();
  sockets.close_all();
  if (options.lifetime) learn_lifetime();
}

void BehaviourDiscovery::Impl::judge() {
  if (result.udp == Tested::unknown) {
    if (servers.empty()) return note("anything: there is no server of this family to ask");
    result.udp = Tested::no;
    return note("anything: no server answered");
  }
  const MappingVerdict mapping = judge_mapping(sights, own);
  result.mapping = mapping.mapping;
  result.mapping_at_least = mapping.at_least;
  note(mapping.doubt);
  result.filtering = filtering.filtering;
  if (leaders == 0) filtering.doubt = "filtering: no server that answered has a second address";
  note(filtering.doubt);
  if (result.mapping != NatMapping::unknown || result.filtering != NatFiltering::unknown)
    result.confidence = mapping.agreement * filtering.confidence;
  if (!translated()) {
    if (!sights.empty()) note("hairpin, port allocation: there is no NAT");
    return;
  }
  if (sampled && std::ranges::find(mapping.against, *sampled) != mapping.against.end()) {
    result.hairpin = Tested::unknown;
    return note("hairpin, port allocation: asked of a server that contradicts the others");
  }
  const AllocationVerdict allocation = judge_allocation(usable_samples());
  result.allocation = allocation.allocation;
  result.step = allocation.step;
  note(allocation.doubt);
}

void BehaviourDiscovery::Impl::learn_lifetime() {
  if (sights.empty()) return;
  using Way = LifetimeSearch::Plan::Way;
  const bool new_ports =
      result.allocation == PortAllocation::sequential || result.allocation == PortAllocation::random;
  const bool dependent = result.mapping == NatMapping::address_dependent ||
                         result.mapping == NatMapping::address_and_port_dependent;
  const bool filters = result.filtering == NatFiltering::address_dependent ||
                       result.filtering == NatFiltering::address_and_port_dependent;
  if (result.mapping != NatMapping::none && new_ports)
    return lifetime.start({Way::port, servers[*sampled].at});
  if (dependent && leader && leader->other_place_is_alive())
    return lifetime.start({Way::second_port, leader->at(), leader->other_place()});
  if (!dependent && result.mapping != NatMapping::unknown && filters)
    return lifetime.start({Way::filter, leader->at(), leader->other_place()});
  if (result.mapping == NatMapping::none && result.filtering == NatFiltering::endpoint_independent)
    return note("lifetime: nothing in the way remembers anything");
  note("lifetime: a new mapping could not be told from an old one");
}

/// What ended has its consequences, which may be new questions: the first of them goes out at once.
void BehaviourDiscovery::Impl::after(Instant now) {
  for (bool any = true; any;) {
    questions.handle_timeout(now);
    any = false;
    while (const auto ended = questions.poll_ended()) {
      handle_ended(now, *ended);
      any = true;
    }
  }
  finish_if_over(now);
}

// ---- the door

BehaviourDiscovery::BehaviourDiscovery(Family family, BehaviourOptions options, Rng rng, std::uint32_t& next_via)
    : impl_{std::make_unique<Impl>(family, options, std::move(rng), next_via)} {}
BehaviourDiscovery::~BehaviourDiscovery() = default;

void BehaviourDiscovery::start(Instant now, const std::vector<SocketAddress>& servers,
                               std::vector<IpAddress> host_addresses, std::uint16_t own_port) {
  Impl& d = *impl_;
  d.stop();
  const Family family = d.result.family;
  d.result = {};
  d.result.family = family;
  d.started = true;
  d.done = false;
  d.own.clear();
  d.servers.clear();
  d.samples.clear();
  d.sights.clear();
  d.sampled.reset();
  d.leader.reset();
  d.leaders = 0;
  d.filtering = {};
  for (const IpAddress& ip : host_addresses) d.own.push_back({ip, own_port});
  for (const SocketAddress& at : servers) {
    const bool known = std::ranges::any_of(d.servers, [&](const Server& s) { return s.at == at; });
    if (at.ip.family() != family || known || d.servers.size() == d.options.max_servers) continue;
    d.questions.ask(now, {.topic = Topic::server, .number = d.servers.size(), .to = at, .from = at});
    d.servers.push_back({.at = at, .outcome = {}});
  }
  d.after(now);
}

void BehaviourDiscovery::stop() { impl_->stop(); }

void BehaviourDiscovery::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  Impl& d = *impl_;
  if (!d.sockets.owns(via)) return;  // closed meanwhile
  if (!bound) d.sockets.lost(via);
  const auto sample = std::ranges::find(d.samples, via, &Sample::via);
  if (d.leader && via == d.leader->filter_socket()) {
    if (bound)
      d.leader->ask_filtering(now, d.questions);
    else
      d.leader->without_socket("a socket could not be opened: " + bound.error().detail);
  } else if (sample != d.samples.end()) {
    const auto number = static_cast<std::size_t>(sample - d.samples.begin());
    const SocketAddress& at = d.servers[*d.sampled].at;
    if (bound) {
      sample->inner_port = bound->port;
      d.questions.ask(now, {.topic = Topic::sample, .number = number, .via = via, .to = at, .from = at});
    } else {
      d.note("port allocation: a socket could not be opened: " + bound.error().detail);
      d.handle_sample(now, {.topic = Topic::sample, .number = number, .outcome = Outcome::silent, .mapped = {}, .other = {}});
    }
  } else if (via == d.lifetime.via()) {
    d.lifetime.handle_socket(now, bound);
    if (!bound) d.note("lifetime: " + d.lifetime.trouble());
  }
  d.after(now);
}

bool BehaviourDiscovery::handle_stun(Instant now, Instant received_at, const PathAddress& from,
                                     const wire::stun::Message& message) {
  const bool ours = impl_->questions.handle_stun(now, received_at, from, message);
  if (ours) impl_->after(now);
  return ours;
}

void BehaviourDiscovery::handle_timeout(Instant now) {
  impl_->lifetime.handle_timeout(now);
  impl_->after(now);
}

std::optional<Transmit> BehaviourDiscovery::poll_transmit() { return impl_->questions.poll_transmit(); }
std::optional<event::Request> BehaviourDiscovery::poll_request() { return impl_->sockets.poll_request(); }
Instant BehaviourDiscovery::poll_timeout() const {
  return earlier(impl_->questions.poll_timeout(), impl_->lifetime.poll_timeout());
}
bool BehaviourDiscovery::done() const { return impl_->done; }
const event::NatBehaviour& BehaviourDiscovery::result() const { return impl_->result; }
bool BehaviourDiscovery::owns(Via via) const { return impl_->sockets.owns(via); }

}  // namespace pw::nat
