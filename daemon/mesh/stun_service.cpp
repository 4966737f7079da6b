#include "mesh/stun_service.hpp"

#include <algorithm>
#include <utility>

#include "base/taken.hpp"

namespace pw::mesh {

using Corners = service::StunResponderOptions::Corners;

namespace {

/// Those that are not the node's own socket.
std::array<SocketAddress, 3> further_of(const Corners& c) {
  return {SocketAddress{c.primary.ip, c.alternate.port}, SocketAddress{c.alternate.ip, c.primary.port}, c.alternate};
}

}  // namespace

StunService::StunService(peer::Context& context, std::vector<SocketAddress> listening,
                         const std::vector<SocketAddress>& alternates)
    : context_{context}, listening_{std::move(listening)}, responder_{service::StunResponderOptions{}} {
  for (const SocketAddress& alternate : alternates) {
    const auto own = std::ranges::find(listening_, alternate.ip.family(), [](const auto& a) { return a.ip.family(); });
    if (own == listening_.end()) continue;  // this machine has no such family, which was told
    corners_.push_back({*own, alternate});
    for (const SocketAddress& at : further_of(corners_.back())) open(at.ip.family(), at);
  }
  const bool v4 = std::ranges::any_of(listening_, [](const SocketAddress& a) { return a.ip.family() == Family::v4; });
  if (v4) knocking_ = open(Family::v4, std::nullopt);
}

Via StunService::open(Family family, const std::optional<SocketAddress>& at) {
  const Via via{context_.next_via++};
  further_.emplace(via, at.value_or(SocketAddress{IpAddress::any(family), 0}));
  context_.out.requests.emplace_back(event::OpenSocket{via, family, at});
  return via;
}

void StunService::knock(const service::Knock& knock) {
  if (!can_knock()) return;
  wire::stun::Message message;
  message.kind = wire::stun::Class::indication;
  message.transaction = knock.transaction;
  knocks_.push_back({{{}, knock.to, knocking_}, wire::stun::encode(message)});
}

std::optional<Transmit> StunService::poll_transmit() {
  return taken(knocks_);
}

bool StunService::handle_socket(Instant now, Via via, const Result<SocketAddress>& bound) {
  const auto asked = further_.find(via);
  if (asked == further_.end()) return false;
  if (!bound) {
    const char* what = via == knocking_ ? "a socket to check mapped ports with" : "bootstrap_server.stun_alternate";
    context_.out.emit(now, event::Trouble{what, asked->second.to_string() + ": " + bound.error().detail});
    further_.erase(asked);
    return true;
  }
  bound_.emplace(via, *bound);
  service::StunResponderOptions options;
  for (const Corners& corners : corners_)
    if (std::ranges::all_of(further_of(corners), [&](const SocketAddress& at) { return via_of(at) != Via::own; }))
      options.behaviour_discovery.push_back(corners);
  if (!options.behaviour_discovery.empty()) responder_ = service::StunResponder{std::move(options)};
  return true;
}

std::uint16_t StunService::port_of(const PathAddress& from) const {
  if (const auto further = bound_.find(from.via); further != bound_.end()) return further->second.port;
  const auto own = std::ranges::find(listening_, from.local.family(), [](const auto& a) { return a.ip.family(); });
  return own == listening_.end() ? std::uint16_t{0} : own->port;
}

Via StunService::via_of(const SocketAddress& own) const {
  const auto found = std::ranges::find(bound_, own, [](const auto& entry) { return entry.second; });
  return found == bound_.end() ? Via::own : found->first;
}

std::optional<Transmit> StunService::handle_stun(Instant now, const PathAddress& from, const wire::stun::Decoded& message,
                                                 std::size_t size) {
  if (from.via != Via::own && (!bound_.contains(from.via) || from.via == knocking_)) return std::nullopt;
  auto outcome = responder_.answer(now, from, port_of(from), message, size);
  count(outcome.result);
  if (!outcome.answer) return std::nullopt;
  const SocketAddress& source = outcome.answer->from;
  return Transmit{{source.ip, outcome.answer->to, via_of(source)}, std::move(outcome.answer->bytes)};
}

}  // namespace pw::mesh
