// NatDiscovery's sockets and questions, and how what it found is said. What is asked when: nat_discovery_steps.cpp.
#include "sim/stun/nat_discovery.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::net {
namespace {

// Where sockets are bound, at random: neighbouring ports would make a NAT that preserves them look like one that counts.
constexpr std::uint16_t kFirstPort = 20000;
constexpr std::uint16_t kPorts = 40000;

}  // namespace

NatDiscovery::NatDiscovery(Machine& machine, DiscoveryOptions options, Rng rng)
    : machine_{machine}, options_{options}, rng_{std::move(rng)} {
  PW_CHECK(options_.attempts > 0 && options_.interval > Duration{} && options_.allocations >= 4);
}

NatDiscovery::~NatDiscovery() { machine_.kill(*this); }

void NatDiscovery::start() {
  PW_CHECK(!started_);
  started_ = true;
  next_ = machine_.now();
  machine_.rearm(*this);
}

std::uint16_t NatDiscovery::fresh_socket() {
  for (;;) {
    const auto port = machine_.open(*this, static_cast<std::uint16_t>(kFirstPort + rng_.below(kPorts)));
    if (!port) continue;  // taken
    sockets_.insert(*port);
    return *port;
  }
}

void NatDiscovery::close_sockets() {
  for (const std::uint16_t port : sockets_) machine_.close(port);
  sockets_.clear();
}

void NatDiscovery::ask(Instant now, std::vector<Question::Sent> sent, std::set<std::uint16_t> at) {
  for (Question::Sent& one : sent) {
    one.request.id = new_transaction(rng_);
    one.request.fingerprint = true;
  }
  question_ = Question{std::move(sent), std::move(at), options_.attempts};
  send_attempt(now);
}

void NatDiscovery::ask_server(Instant now, std::uint16_t from, const SocketAddress& to, ChangeRequest change) {
  StunMessage request;
  if (change != ChangeRequest{}) request.change = change;
  ask(now, {{from, to, request}}, {from});
}

void NatDiscovery::send_attempt(Instant now) {
  --question_->left;
  next_ = now + options_.interval;
  for (const Question::Sent& one : question_->sent)
    machine_.send(one.from, {IpAddress::any(one.to.ip.family()), one.to}, encode(one.request));
}

void NatDiscovery::handle_timeout(Instant now) {
  if (now < next_) return;
  if (question_ && question_->left > 0) {
    send_attempt(now);
    return;
  }
  next_ = kNever;
  if (question_) {
    question_.reset();
    finished(now, std::nullopt);
  } else if (step_ == Step::reach) {
    enter(now, Step::reach);  // the start
  } else {
    finished(now, std::nullopt);  // a time of idleness is over
  }
}

void NatDiscovery::handle_arrival(Instant now, const Arrival& arrival) {
  // Any packet may have refreshed the mapping whose idleness is measured: its time begins again.
  const bool idling = step_ == Step::lifetime_idle || step_ == Step::refresh_idle || step_ == Step::refresh_idle_again;
  if (idling && arrival.port == first_) next_ = now + idle_;
  if (!question_ || !question_->at.contains(arrival.port)) return;
  const auto message = decode_stun(arrival.bytes);
  if (!message) return;
  const bool hairpin = step_ == Step::hairpin;
  const bool right_kind =
      hairpin ? message->kind == StunMessage::Class::request : message->kind == StunMessage::Class::success;
  if (!right_kind || std::ranges::none_of(question_->sent, [&](const auto& s) { return s.request.id == message->id; }))
    return;
  if (!hairpin && !message->xor_mapped) return;
  question_.reset();
  next_ = kNever;
  finished(now, Answer{*message, arrival.path.remote});
}

std::string Behaviour::to_string() const {
  if (udp_blocked) return "UDP blocked";
  std::string out = translated ? "translated" : "not translated";
  const auto add = [&](std::string_view axis, std::string_view value) {
    out.append(", ").append(axis).append(" ").append(value);
  };
  if (mapping) add("mapping", name(*mapping));
  if (filtering) add("filtering", name(*filtering));
  if (ports) add("ports", name(*ports));
  if (step) add("step", std::to_string(*step));
  if (pooling) add("pooling", name(*pooling));
  if (hairpin) add("hairpin", name(*hairpin));
  if (alive_after) add("alive after", std::to_string(to_seconds(*alive_after)) + " s");
  if (dead_after) add("dead after", std::to_string(to_seconds(*dead_after)) + " s");
  if (outbound_refreshes) add("outbound refreshes", *outbound_refreshes ? "yes" : "no");
  if (inbound_refreshes) add("inbound refreshes", *inbound_refreshes ? "yes" : "no");
  return out;
}

}  // namespace pw::net
