#include "probe/echo.hpp"

#include <algorithm>
#include <utility>

namespace pw::probe {

wire::EchoFrame EchoProber::open(Instant now, std::optional<event::Ticket> ticket, std::uint16_t padding) {
  open_.push_back({next_sequence_, now, ticket});
  return {false, next_sequence_++, padding};
}

std::optional<wire::EchoFrame> EchoProber::poll(Instant now) {
  if (now < next_) return std::nullopt;
  // At the phase that was drawn, also after a late turn, but never two in quick succession.
  next_ = phase_ ? now + *phase_ : std::max(next_ + interval_, now + interval_ / 2);
  phase_.reset();
  last_ = now;
  const bool urgent = std::exchange(urgent_, false);
  const auto periodic = [](const Open& o) { return !o.ticket; };
  if (std::ranges::count_if(open_, periodic) >= static_cast<std::ptrdiff_t>(kMaxPeriodic)) {
    if (!urgent) return std::nullopt;
    open_.erase(std::ranges::find_if(open_, periodic));
  }
  return open(now, std::nullopt, 0);
}

std::optional<wire::EchoFrame> EchoProber::poll_early(Instant now) {
  if (phase_ || next_ - now > interval_ / 2) return std::nullopt;
  next_ = std::min(next_, now);
  return poll(now);
}

std::optional<wire::EchoFrame> EchoProber::ping(Instant now, event::Ticket ticket, std::uint16_t padding) {
  if (std::ranges::count_if(open_, [](const Open& o) { return o.ticket.has_value(); }) >=
      static_cast<std::ptrdiff_t>(kMaxPings))
    return std::nullopt;
  return open(now, ticket, padding);
}

std::optional<EchoProber::Sample> EchoProber::handle_reply(Instant received_at, std::uint32_t sequence,
                                                           const Starvation& starvation) {
  const auto found = std::ranges::find(open_, sequence, &Open::sequence);
  if (found == open_.end()) return std::nullopt;
  const Sample sample{std::max(received_at - found->at, Duration{}), starvation.since(found->at), found->ticket};
  open_.erase(found);
  return sample;
}

std::vector<event::Ticket> EchoProber::expire(Instant now) {
  std::vector<event::Ticket> late;
  std::erase_if(open_, [&](const Open& o) {
    if (now - o.at < kGiveUp) return false;
    if (o.ticket) late.push_back(*o.ticket);
    return true;
  });
  return late;
}

std::vector<event::Ticket> EchoProber::abandon() {
  std::vector<event::Ticket> all;
  for (const Open& o : open_)
    if (o.ticket) all.push_back(*o.ticket);
  open_.clear();
  return all;
}

Instant EchoProber::next_timeout() const { return open_.empty() ? next_ : earlier(next_, open_.front().at + kGiveUp); }

}  // namespace pw::probe
