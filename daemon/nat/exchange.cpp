#include "nat/exchange.hpp"

#include <array>

namespace pw::nat {
namespace {

/// By the schema's numbers; UNSPECIFIED is none of them.
constexpr std::array kKinds{CandidateKind::host, CandidateKind::server_reflexive, CandidateKind::port_mapped};
constexpr std::array kMethods{Method::none, Method::punch, Method::prediction, Method::birthday};
constexpr std::uint32_t kPrediction = 1;  // bits of `methods`
constexpr std::uint32_t kBirthday = 2;

template <class T, std::size_t N>
std::uint32_t index_in(const std::array<T, N>& all, T value) {
  std::uint32_t i = 0;
  while (i < N && all[i] != value) ++i;
  return i;
}

/// These enumerations have the schema's numbers, `unknown` first.
template <class E>
E known(std::uint32_t number) {
  return number < enum_count<E>() ? static_cast<E>(number) : E{};
}

}  // namespace

wire::Candidates to_wire(const Side& side) {
  wire::Candidates m;
  for (const Candidate& c : side.candidates)
    if (const std::uint32_t kind = index_in(kKinds, c.kind); kind < kKinds.size())
      m.candidates.push_back({kind + 1, c.address, c.priority});
  for (const Family family : {Family::v4, Family::v6}) {
    const event::NatBehaviour& b = side.behaviour[static_cast<std::size_t>(family)];
    if (b.udp == event::Tested::unknown) continue;
    m.nats.push_back({.family = family,
                      .udp = static_cast<std::uint32_t>(b.udp),
                      .mapping = static_cast<std::uint32_t>(b.mapping),
                      .mapping_at_least = b.mapping_at_least,
                      .filtering = static_cast<std::uint32_t>(b.filtering),
                      .allocation = static_cast<std::uint32_t>(b.allocation),
                      .step = b.allocation == event::PortAllocation::sequential ? b.step : 0,
                      .mapped = b.mapped});
  }
  m.methods = (side.predicts ? kPrediction : 0) | (side.searches ? kBirthday : 0);
  return m;
}

Side side_of(const wire::Candidates& message) {
  Side side;
  for (const wire::Candidate& c : message.candidates)
    if (c.kind >= 1 && c.kind <= kKinds.size())
      side.candidates.push_back({kKinds[c.kind - 1], c.address, Via::own, c.priority});
  for (std::size_t family = 0; family < side.behaviour.size(); ++family)
    side.behaviour[family].family = static_cast<Family>(family);
  for (const wire::NatVerdict& n : message.nats) {
    event::NatBehaviour& b = side.behaviour[static_cast<std::size_t>(n.family)];
    b.udp = known<event::Tested>(n.udp);
    b.mapping = known<event::NatMapping>(n.mapping);
    b.mapping_at_least = n.mapping_at_least;
    b.filtering = known<event::NatFiltering>(n.filtering);
    b.allocation = known<event::PortAllocation>(n.allocation);
    if (b.allocation == event::PortAllocation::sequential) b.step = n.step;
    b.mapped = n.mapped;
  }
  side.predicts = (message.methods & kPrediction) != 0;
  side.searches = (message.methods & kBirthday) != 0;
  return side;
}

wire::Punch to_wire(const PunchMessage& m) {
  return {.kind = static_cast<std::uint32_t>(m.kind) + 1,
          .round = m.round,
          .method = index_in(kMethods, m.method),
          .family = m.family,
          .attempt = m.attempt,
          .first = m.first,
          .step = m.step,
          .count = m.count,
          .failure = static_cast<std::uint32_t>(m.failure)};
}

std::optional<PunchMessage> punch_of(const wire::Punch& m) {
  constexpr auto kLast = static_cast<std::uint32_t>(PunchMessage::Kind::cancel);
  if (m.kind == 0 || m.kind - 1 > kLast || m.method >= kMethods.size()) return std::nullopt;
  return PunchMessage{.kind = static_cast<PunchMessage::Kind>(m.kind - 1),
                      .round = m.round,
                      .method = kMethods[m.method],
                      .family = m.family,
                      .attempt = m.attempt,
                      .first = m.first,
                      .step = m.step,
                      .count = m.count,
                      // Who gave up for a reason of a later version did not do so because somebody asked for it.
                      .failure = m.failure < enum_count<PunchFailure>() ? static_cast<PunchFailure>(m.failure)
                                                                        : PunchFailure::coordination};
}

}  // namespace pw::nat
