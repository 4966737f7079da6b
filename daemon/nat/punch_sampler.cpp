#include "nat/punch_sampler.hpp"

namespace pw::nat {

void PortSampler::ask(Instant now, Via via, const SocketAddress& server) {
  Question& q = questions_[via];
  q = {server, {}, now, 0, false, std::nullopt};
  rng_.fill(q.id);
}

bool PortSampler::handle_stun(const PathAddress& from, const wire::stun::Message& message) {
  const auto found = questions_.find(from.via);
  if (found == questions_.end()) return false;
  Question& q = found->second;
  if (message.kind != wire::stun::Class::success || message.transaction != q.id || from.remote != q.server) return false;
  if (message.mapped && message.mapped->ip.family() == q.server.ip.family() && message.mapped->port != 0 && q.sent > 0)
    q.outer = message.mapped;
  return true;
}

void PortSampler::handle_timeout(Instant now) {
  for (auto& [via, q] : questions_) q.given_up = q.given_up || (q.sent == kAttempts && now >= q.next);
}

std::optional<Transmit> PortSampler::poll_transmit(Instant now) {
  for (auto& [via, q] : questions_) {
    if (q.outer || q.sent == kAttempts || q.next > now) continue;
    q.next = now + timeout_ * (1 << q.sent);
    ++q.sent;
    wire::stun::Message request;
    request.transaction = q.id;
    return Transmit{{IpAddress::any(q.server.ip.family()), q.server, via}, wire::stun::encode(request)};
  }
  return std::nullopt;
}

Instant PortSampler::poll_timeout() const {
  Instant next = kNever;
  for (const auto& [via, q] : questions_)
    if (!q.outer && !q.given_up) next = earlier(next, q.next);
  return next;
}

std::optional<SocketAddress> PortSampler::outer(Via via) const {
  const auto found = questions_.find(via);
  return found == questions_.end() ? std::nullopt : found->second.outer;
}

bool PortSampler::transmitted(Via via) const {
  const auto found = questions_.find(via);
  return found != questions_.end() && found->second.sent > 0;
}

bool PortSampler::settled(Via via) const {
  const auto found = questions_.find(via);
  return found != questions_.end() && (found->second.outer || found->second.given_up);
}

}  // namespace pw::nat
