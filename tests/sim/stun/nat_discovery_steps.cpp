// The procedure: what is asked next, and what an answer, or none, means. Sections are those of RFC 5780.
#include <algorithm>
#include <map>

#include "sim/stun/nat_discovery.hpp"

namespace pw::net {
namespace {

// Tries to get a second socket onto the first one's outer address: behind a pool of n, one in n succeeds.
constexpr unsigned kMostHelpers = 64;
// How much of a lifetime passes before and after a packet that may refresh: once must be below it, twice above.
constexpr int kRefreshPercent = 75;
// Below that, attempts take too much of the lifetime for the test of refreshing to mean anything.
constexpr Duration kShortestForRefresh = 10s;
// Of ports drawn from a thousand or more, a dozen lie closer together once in 10⁸ times.
constexpr int kLeastSpread = 128;
// A majority of fewer means nothing.
constexpr std::size_t kFewestSteps = 3;

/// The step that most neighbours in these rows agree on.
std::optional<int> common_step(const std::vector<std::vector<std::uint16_t>>& rows) {
  std::map<int, std::size_t> counts;
  std::size_t all = 0;
  for (const auto& row : rows)
    for (std::size_t i = 1; i < row.size(); ++i, ++all) ++counts[row[i] - row[i - 1]];
  for (const auto& [step, count] : counts)
    if (step != 0 && all >= kFewestSteps && count * 2 > all) return step;
  return std::nullopt;
}

}  // namespace

void NatDiscovery::enter(Instant now, Step step) {
  step_ = step;
  switch (step) {
    case Step::reach:
      first_ = fresh_socket();
      return ask_server(now, first_, options_.server);
    case Step::mapping_address: return ask_server(now, first_, {other_.ip, options_.server.port});
    case Step::mapping_port: return ask_server(now, first_, other_);
    // Fresh sockets: what the mapping tests sent has opened the filter of theirs.
    case Step::filter_both: return ask_server(now, fresh_socket(), options_.server, {true, true});
    case Step::filter_port: return ask_server(now, fresh_socket(), options_.server, {false, true});
    case Step::allocation:
    case Step::hairpin_first:
    case Step::lifetime_bind:
    case Step::refresh_bind:
      first_ = fresh_socket();
      return ask_server(now, first_, options_.server);
    case Step::hairpin_second:
      second_ = fresh_socket();
      return ask_server(now, second_, options_.server);
    case Step::hairpin:
      // Towards each other: a filter lets in what answers to something that went out.
      return ask(now, {{first_, second_outer_, {}}, {second_, first_outer_, {}}}, {first_, second_});
    case Step::lifetime_idle: return idle(now, alive_ + (dead_ - alive_) / 2);
    case Step::refresh_idle:
    case Step::refresh_idle_again: return idle(now, alive_ * kRefreshPercent / 100);
    case Step::refresh_outbound: return ask_server(now, first_, options_.server);
    case Step::lifetime_helper:
    case Step::refresh_helper:
    case Step::refresh_helper_again:
      helpers_ = 0;
      return find_helper(now);
    case Step::lifetime_ask:
    case Step::refresh_inbound:
    case Step::refresh_ask: return ask_from_outside(now);
    case Step::done:
      next_ = kNever;
      return close_sockets();
  }
}

void NatDiscovery::finished(Instant now, const std::optional<Answer>& answer) {
  const auto outer = answer ? answer->message.xor_mapped : std::nullopt;
  switch (step_) {
    case Step::reach:
      found_.udp_blocked = !answer;
      if (!answer) return enter(now, Step::done);
      if (answer->message.other_address) other_ = *answer->message.other_address;
      return finished_mapping(now, outer);
    case Step::mapping_address:
    case Step::mapping_port: return finished_mapping(now, outer);
    case Step::filter_both:
      if (!answer) return enter(now, Step::filter_port);
      found_.filtering = Dependence::endpoint_independent;
      return after_filtering(now);
    case Step::filter_port:
      found_.filtering = answer ? Dependence::address_dependent : Dependence::address_and_port_dependent;
      return after_filtering(now);
    case Step::allocation:
      if (!outer) return after_allocation(now);  // what can be told is told by those before
      allocations_.push_back({first_, *outer});
      return allocations_.size() < options_.allocations ? enter(now, Step::allocation) : after_allocation(now);
    case Step::hairpin_first:
      if (!outer) return after_hairpin(now);
      first_outer_ = *outer;
      return enter(now, Step::hairpin_second);
    case Step::hairpin_second:
      if (!outer) return after_hairpin(now);
      second_outer_ = *outer;
      return enter(now, Step::hairpin);
    case Step::hairpin: return finished_hairpin(now, answer);
    case Step::lifetime_bind:
    case Step::refresh_bind:
      if (!outer) return enter(now, Step::done);
      first_outer_ = *outer;
      return enter(now, step_ == Step::lifetime_bind ? Step::lifetime_idle : Step::refresh_idle);
    case Step::lifetime_idle: return enter(now, Step::lifetime_helper);
    case Step::lifetime_helper: return finished_helper(now, outer, Step::lifetime_ask);
    case Step::lifetime_ask: return finished_lifetime(now, answer.has_value());
    case Step::refresh_idle:
      return enter(now, found_.outbound_refreshes ? Step::refresh_helper : Step::refresh_outbound);
    case Step::refresh_outbound: return enter(now, answer ? Step::refresh_idle_again : Step::done);
    case Step::refresh_helper: return finished_helper(now, outer, Step::refresh_inbound);
    case Step::refresh_inbound: return enter(now, answer ? Step::refresh_idle_again : Step::done);
    case Step::refresh_idle_again: return enter(now, Step::refresh_helper_again);
    case Step::refresh_helper_again: return finished_helper(now, outer, Step::refresh_ask);
    case Step::refresh_ask:
      if (!found_.outbound_refreshes) {
        found_.outbound_refreshes = answer.has_value();
        return enter(now, Step::refresh_bind);
      }
      found_.inbound_refreshes = answer.has_value();
      return enter(now, Step::done);
    case Step::done: return;
  }
}

/// Section 4.3. Test III is compared with test II, test II with test I: second_outer_ is the one before.
void NatDiscovery::finished_mapping(Instant now, const std::optional<SocketAddress>& outer) {
  if (step_ == Step::reach) {
    found_.outer = second_outer_ = *outer;
    const auto& interfaces = machine_.interfaces();
    found_.translated = outer->port != first_ || std::ranges::none_of(interfaces, [&](const Interface* interface) {
                          return interface->has(outer->ip);
                        });
    if (other_.port == 0) return after_filtering(now);  // "…the server does not support this usage"
    if (found_.translated) return enter(now, Step::mapping_address);
    found_.mapping = Dependence::endpoint_independent;
  } else if (!outer) {
    // Nothing from the other address at all: then no answer from there says anything of filtering either.
    if (step_ == Step::mapping_address) return after_filtering(now);
  } else {
    const bool same = *outer == second_outer_;
    second_outer_ = *outer;
    if (!same && step_ == Step::mapping_address) return enter(now, Step::mapping_port);
    found_.mapping = step_ == Step::mapping_address ? Dependence::endpoint_independent
                     : same                         ? Dependence::address_dependent
                                                    : Dependence::address_and_port_dependent;
  }
  enter(now, Step::filter_both);
}

void NatDiscovery::after_filtering(Instant now) {
  if (!found_.translated) return after_hairpin(now);
  enter(now, Step::allocation);
}

void NatDiscovery::after_allocation(Instant now) {
  judge_allocation();
  if (!options_.hairpin) return after_hairpin(now);
  enter(now, Step::hairpin_first);
}

void NatDiscovery::after_hairpin(Instant now) {
  if (!options_.lifetime) return enter(now, Step::done);
  alive_ = Duration{};
  dead_ = 2 * options_.lifetime->longest;  // the first that is tried is the longest
  enter(now, Step::lifetime_bind);
}

void NatDiscovery::judge_allocation() {
  if (allocations_.size() <= kFewestSteps) return;
  const SocketAddress& first = allocations_.front().outer;
  const bool paired =
      std::ranges::all_of(allocations_, [&](const Allocation& a) { return a.outer.ip == first.ip; });
  found_.pooling = paired ? Pooling::paired : Pooling::arbitrary;

  const auto kept = std::ranges::count_if(allocations_, [](const Allocation& a) { return a.inner == a.outer.port; });
  if (static_cast<std::size_t>(kept) * 4 >= allocations_.size() * 3) {  // one that was taken goes elsewhere
    found_.ports = PortAllocation::preserving;
    return;
  }
  std::vector<std::uint16_t> all;
  std::map<IpAddress, std::vector<std::uint16_t>> each;  // the addresses of a pool may count each for itself
  for (const Allocation& a : allocations_) {
    all.push_back(a.outer.port);
    each[a.outer.ip].push_back(a.outer.port);
  }
  std::vector<std::vector<std::uint16_t>> rows;
  for (auto& [address, ports] : each) rows.push_back(std::move(ports));
  found_.step = common_step({all});
  if (!found_.step) found_.step = common_step(rows);
  const auto [least, most] = std::ranges::minmax(all);
  if (found_.step)
    found_.ports = PortAllocation::sequential;
  else if (most - least >= kLeastSpread)
    found_.ports = PortAllocation::random;
}

/// Section 4.5. RFC 4787 REQ-9a: the receiver sees the sender's outer address.
void NatDiscovery::finished_hairpin(Instant now, const std::optional<Answer>& answer) {
  if (!answer) {
    found_.hairpin = Hairpin::none;
  } else {
    const bool outer = answer->source.ip == first_outer_.ip || answer->source.ip == second_outer_.ip;
    found_.hairpin = outer ? Hairpin::external_source : Hairpin::internal_source;
  }
  after_hairpin(now);
}

void NatDiscovery::idle(Instant now, Duration d) {
  idle_ = d;
  next_ = now + d;
}

/// RESPONSE-PORT names a port of the requester's own outer address only.
void NatDiscovery::find_helper(Instant now) {
  ++helpers_;
  second_ = fresh_socket();
  ask_server(now, second_, options_.server);
}

void NatDiscovery::finished_helper(Instant now, const std::optional<SocketAddress>& outer, Step then) {
  if (outer && outer->ip == first_outer_.ip) return enter(now, then);
  if (!outer || helpers_ >= kMostHelpers) return enter(now, Step::done);
  find_helper(now);
}

void NatDiscovery::ask_from_outside(Instant now) {
  StunMessage request;
  request.response_port = first_outer_.port;
  ask(now, {{second_, options_.server, request}}, {first_});
}

/// Section 4.6.
void NatDiscovery::finished_lifetime(Instant now, bool alive) {
  close_sockets();
  (alive ? alive_ : dead_) = idle_;
  found_.alive_after = alive_;
  if (idle_ == options_.lifetime->longest && alive) return enter(now, Step::done);
  // The helper, the question and its way took time on top, and the first attempt may have been lost.
  found_.dead_after = dead_ + 2 * options_.interval;
  if (dead_ - alive_ > options_.lifetime->resolution) return enter(now, Step::lifetime_bind);
  enter(now, alive_ >= kShortestForRefresh ? Step::refresh_bind : Step::done);
}

}  // namespace pw::net
