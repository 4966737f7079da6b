#include "nat/behaviour_leader.hpp"

namespace pw::nat {
namespace {

using event::NatFiltering;

// A finding that loss would fake more often is none.
constexpr double kMostDoubt = 0.1;

}  // namespace

bool Leader::may_name(const SocketAddress& at, const SocketAddress& other) {
  const IpAddress& ip = other.ip;
  return ip.family() == at.ip.family() && ip != at.ip && other.port != at.port && other.port != 0 &&
         !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !ip.is_link_local();
}

void Leader::ask_mapping(Instant now, Questions& questions) const {
  questions.ask(now, {.topic = Topic::other_port, .number = server_, .to = other_port(), .from = other_port()});
  questions.ask(now, {.topic = Topic::other_place, .number = server_, .to = other_, .from = other_});
}

void Leader::ask_filtering(Instant now, Questions& questions) const {
  questions.ask(now, {.topic = Topic::from_other_place,
                      .number = server_,
                      .via = filter_socket_,
                      .to = at_,
                      .change = {.ip = true, .port = true},
                      .from = other_});
  questions.ask(now, {.topic = Topic::from_other_port,
                      .number = server_,
                      .via = filter_socket_,
                      .to = at_,
                      .change = {.ip = false, .port = true},
                      .from = other_port()});
}

void Leader::without_socket(std::string why) { trouble_ = "filtering: " + std::move(why); }

void Leader::handle_ended(Questions& questions, const Ended& ended) {
  switch (ended.topic) {
    case Topic::other_port: port_ = ended; break;
    case Topic::other_place: place_ = ended; break;
    case Topic::from_other_port: from_port_ = ended; break;
    case Topic::from_other_place: from_place_ = ended; break;
    case Topic::server:
    case Topic::sample:
    case Topic::hairpin:
    case Topic::lifetime: return;
  }
  // A place that is dead can't show a filter.
  if (place_ && !alive(place_)) {
    questions.drop(Topic::from_other_place);
    questions.drop(Topic::from_other_port);
  }
}

bool Leader::finished() const {
  if (!port_ || !place_) return false;
  return !trouble_.empty() || !alive(place_) || alive(from_place_) || (from_port_ && from_place_);
}

FilteringVerdict Leader::judge(const Questions& questions) const {
  FilteringVerdict v;
  if (!trouble_.empty()) {
    v.doubt = trouble_;
  } else if (alive(from_place_)) {
    v.filtering = NatFiltering::endpoint_independent;
  } else if (!alive(place_)) {
    v.doubt = "filtering: the server's other address does not answer";
  } else if (from_place_->outcome == Outcome::refused || from_port_->outcome == Outcome::refused) {
    v.doubt = "filtering: the server does not answer from another address";
  } else if (alive(from_port_)) {
    v.filtering = NatFiltering::address_dependent;
    v.confidence = 1 - questions.silence_by_loss(from_place_->attempts);
  } else if (!alive(port_)) {
    v.doubt = "filtering: the server's other port does not answer";
  } else {
    v.filtering = NatFiltering::address_and_port_dependent;
    v.confidence = (1 - questions.silence_by_loss(from_place_->attempts)) *
                   (1 - questions.silence_by_loss(from_port_->attempts));
  }
  if (v.confidence < 1 - kMostDoubt) {
    v = {};
    v.doubt = "filtering: too many packets are lost";
  }
  return v;
}

}  // namespace pw::nat
