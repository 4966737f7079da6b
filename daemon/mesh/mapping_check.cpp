#include "mesh/mapping_check.hpp"

#include <algorithm>
#include <utility>

namespace pw::mesh {

using event::NatFiltering;

std::string_view describe(MappingCheck::Doubt doubt) {
  switch (doubt) {
    case MappingCheck::Doubt::none: return "not tried from outside yet";
    case MappingCheck::Doubt::no_bootstrap: return "not tried from outside: no bootstrap is connected";
    case MappingCheck::Doubt::other_address:
      return "not tried from outside: bootstraps see this node at another address, so there is another NAT outside the gateway";
    case MappingCheck::Doubt::own_port:
      return "not tried from outside: the port is the NAT's own for this node, whose filter is too open, or not known";
    case MappingCheck::Doubt::no_answer: return "not tried from outside: the bootstraps did not send a packet";
  }
  return "";
}

void MappingCheck::update(Instant now, View view) {
  const bool same = view_.unverified == view.unverified;
  view_ = std::move(view);
  if (!same) {
    state_ = State::idle;
    doubt_ = Doubt::none;
    missed_ = 0;
    transactions_.clear();
    ask_.reset();
    verdict_.reset();
    due_ = kNever;
  }
  if (!view_.unverified || state_ != State::idle) return;
  doubt_ = judge();
  if (doubt_ == Doubt::none) ask(now);
}

std::vector<PeerId> MappingCheck::servers() const {
  std::vector<PeerId> out;
  for (const Sighting& s : view_.sightings)
    if (s.checks_mappings && s.address.ip == view_.unverified->ip) out.push_back(s.server);
  return out;
}

MappingCheck::Doubt MappingCheck::judge() const {
  if (std::ranges::none_of(view_.sightings, &Sighting::checks_mappings)) return Doubt::no_bootstrap;
  if (servers().empty()) return Doubt::other_address;
  const bool own = view_.mapped == view_.unverified || std::ranges::find(view_.sightings, *view_.unverified,
                                                                         &Sighting::address) != view_.sightings.end();
  if (!own) return Doubt::none;
  switch (view_.filtering) {
    case NatFiltering::unknown:
    case NatFiltering::address_dependent: return Doubt::own_port;
    // Whoever is let in anyway is reached there, which is all that is claimed.
    case NatFiltering::endpoint_independent:
    case NatFiltering::address_and_port_dependent: return Doubt::none;
  }
  return Doubt::own_port;
}

/// Another bootstrap each time, if there is one: one that lies, or can't send, decides nothing alone.
void MappingCheck::ask(Instant now) {
  const std::vector<PeerId> all = servers();
  const PeerId& server = all[number_ % all.size()];
  wire::stun::TransactionId transaction{};
  rng_.fill(transaction);
  if (transactions_.size() == kRemembered) transactions_.erase(transactions_.begin());
  transactions_.push_back(transaction);
  asked_ = server;
  ask_ = Ask{server, ++number_, *view_.unverified, transaction};
  state_ = State::asked;
  due_ = now + kPatience;
}

void MappingCheck::pause(Instant now) {
  state_ = State::waiting;
  doubt_ = Doubt::no_answer;
  due_ = now + kAgain;
}

void MappingCheck::handle_answer(Instant now, const PeerId& server, std::uint32_t number, bool sent) {
  if (state_ != State::asked || asked_ != server || number_ != number) return;  // late, or made up
  if (!sent) return pause(now);
  state_ = State::sent;
  due_ = now + kUnderWay;
}

bool MappingCheck::handle_stun(const PathAddress& from, const wire::stun::Message& message) {
  if (from.via != Via::own || message.kind != wire::stun::Class::indication || message.method != wire::stun::kBinding ||
      std::ranges::find(transactions_, message.transaction) == transactions_.end())
    return false;
  if (state_ == State::done) return true;  // a second one
  state_ = State::done;
  due_ = kNever;
  verdict_ = Verdict{*view_.unverified, true};
  return true;
}

void MappingCheck::handle_timeout(Instant now) {
  if (now < due_) return;
  due_ = kNever;
  if (state_ == State::asked) return pause(now);
  if (state_ == State::sent && ++missed_ == kAttempts) {
    state_ = State::done;
    verdict_ = Verdict{*view_.unverified, false};
    return;
  }
  // What is known of the surroundings may be something else by now.
  state_ = State::idle;
  update(now, view_);
}

}  // namespace pw::mesh
