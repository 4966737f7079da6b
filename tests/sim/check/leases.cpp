#include "sim/check/leases.hpp"

#include "peer/bandwidth_test.hpp"
#include "sim/host.hpp"

namespace pw::sim {

void Leases::commanded(Instant at, const Host& host, event::Ticket ticket, const event::Command& command) {
  const auto* measure = std::get_if<event::MeasureBandwidth>(&command);
  if (!measure) return;
  while (!measurements_.empty() && measurements_.front().asked + 2 * peer::kMaxTestDuration + kTail + kStuck < at)
    measurements_.pop_front();
  measurements_.push_back({&host, ticket, measure->peer, at, 2 * std::min(measure->duration, peer::kMaxTestDuration)});
}

void Leases::answered(Instant at, const Host& host, event::Ticket ticket, const event::Answer& answer) {
  const auto m = std::ranges::find_if(
      measurements_, [&](const Measurement& x) { return x.host == &host && x.ticket == ticket; });
  if (m == measurements_.end() || answer) return;
  const bool here = answer.error().code == event::CommandError::busy;
  const bool there = answer.error().code == event::CommandError::refused &&
                     answer.error().detail.find("busy") != std::string::npos;
  if ((!here && !there) || may_be_busy(at, *m, here ? host.id() : m->peer)) return;
  complain(host.name() + at_text(at) + answer.error().detail +
           ", but there is none (with " + m->peer.to_short() + ")");
}

/// Whether another measurement that it takes part in may be under way.
bool Leases::may_be_busy(Instant at, const Measurement& refused, const PeerId& who) const {
  return std::ranges::any_of(measurements_, [&](const Measurement& m) {
    if (&m == &refused || (m.host->id() != who && m.peer != who)) return false;
    Instant until = m.asked + m.lasts + kTail;
    const auto& others = ground_.hosts_of(m.peer);
    if (others.size() != 1) return true;
    const std::size_t a = m.host->machine().index();
    const std::size_t b = others.front()->machine().index();
    const bool stuck = ground_.passage(a, b).mishaps.count(m.asked, at) + ground_.passage(b, a).mishaps.count(m.asked, at) > 0 ||
                       ground_.was_paused(a, m.asked, at) || ground_.was_paused(b, m.asked, at);
    if (stuck) until += kStuck;
    return until >= refused.asked;
  });
}

}  // namespace pw::sim
