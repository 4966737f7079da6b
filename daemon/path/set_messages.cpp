#include <algorithm>
#include <utility>

#include "path/set.hpp"

namespace pw::path {

using event::PathHealth;
using event::ProbeDirection;
namespace stun = wire::stun;

namespace {

tl::unexpected<Refusal> refuse(Refusal why) { return tl::unexpected(why); }

/// What both kinds of message have to be; the rest of the judgement takes a key.
std::optional<Refusal> unfit(const stun::Decoded& d, stun::Class kind) {
  const bool check = d.message.kind == kind && d.message.method == stun::kBinding;
  if (!check || !d.not_understood.empty() || d.padding || d.response_port) return Refusal::not_a_check;
  if (d.integrity != stun::Integrity::sha256) return Refusal::no_integrity;
  return std::nullopt;
}

}  // namespace

// ---- requests of ours

void Set::send_check(Instant now, Check check, std::uint8_t ttl) {
  const bool full = check.full;
  stun::Message m;
  m.probe = check.probe;
  m.username = keys_.peer_tag;
  const Check& begun = checks_.begin(now, std::move(check));
  m.transaction = begun.id;
  transmits_.push_back(
      {begun.to, stun::encode_padded(std::move(m), full ? kFullSize : kSmallSize, stun::Integrity::sha256, keys_.send),
       0, ttl});
}

void Set::send_probe(Instant now, Path& path) {
  if (!path.fast) path.liveness.set_interval(standby_interval());
  path.probed(now);
  send_check(now, {.to = path.name.address, .kind = path.name.kind, .probe = path.sent.probe(now, in_use(path.name.address))});
}

/// No probe: what is lost for its size alone is no loss of the path, and a large packet's round trip no RTT.
void Set::send_full_check(Instant now, Path& path) {
  path.size.sent(now, path.timeout());
  send_check(now, {.to = path.name.address, .kind = path.name.kind, .full = true});
}

// ---- the peer's requests

Verdict Set::handle_request(Instant now, const Arrived& request) {
  const stun::Message& m = request.decoded.message;
  if (const auto why = unfit(request.decoded, stun::Class::request)) return refuse(*why);
  if (m.username != keys_.own_tag) return refuse(Refusal::unknown_user);
  if (request.bytes.size() < kSmallSize) return refuse(Refusal::too_small);
  if (!stun::verify(request.bytes, stun::Integrity::sha256, keys_.receive)) return refuse(Refusal::wrong_key);
  const bool fresh = seen_.take(number_of(m.transaction));
  if (Path* path = find(request.from)) return handle_request(now, request, *path, fresh);

  if (!fresh) return refuse(Refusal::replayed);
  if (!may_check(request.from, request.kind)) return refuse(Refusal::forbidden_address);
  Candidate* candidate = candidates_.trigger(now, {request.from, request.kind});
  // It has come, whatever becomes of it, or it would seem lost.
  Hearing nowhere;
  const auto receipt = heard(now, request, candidate ? candidate->heard : nowhere, fresh);
  const bool answered = strangers_.take(now);
  if (answered) answer(request, receipt);
  handle_timeout(now);  // RFC 8445 section 7.3.1.4: the triggered check
  if (!answered) return refuse(Refusal::rate_limited);
  return {};
}

/// Where a path is proved, what was seen before is answered too, unless it came by the same path: otherwise who brings
/// us copies from elsewhere, sooner than the originals, could make the peer's probes fail.
Verdict Set::handle_request(Instant now, const Arrived& request, Path& path, bool fresh) {
  const auto receipt = heard(now, request, path.heard, fresh);
  if (!fresh && request.decoded.message.probe && !receipt) return refuse(Refusal::replayed);
  // Copies have a budget of their own: whoever throws them at us must not use up that of the peer's checks.
  if (!(fresh ? answers_ : copies_).take(now)) return refuse(Refusal::rate_limited);
  answer(request, receipt);
  // It comes from where nothing answered: perhaps the path is back.
  if (fresh && !path.alive() && now - path.last_probe >= path.timeout()) send_probe(now, path);
  return {};
}

std::optional<wire::ReceiptFrame> Set::heard(Instant now, const Arrived& request, Hearing& by, bool fresh) {
  const auto& probe = request.decoded.message.probe;
  if (!probe) return std::nullopt;
  // Copies make nobody forget.
  if (!fresh && !heard_.knows(*probe)) return std::nullopt;
  return by.receipt(now, request.at, *probe, heard_);
}

bool Set::in_use(const PathAddress& address) const { return std::ranges::find(sending_, address) != sending_.end(); }

void Set::answer(const Arrived& request, const std::optional<wire::ReceiptFrame>& receipt) {
  const stun::Message& asked = request.decoded.message;
  stun::Message m;
  m.kind = stun::Class::success;
  m.transaction = asked.transaction;
  if (!relayed(request.kind)) m.mapped = request.from.remote;
  m.receipt = receipt;
  const bool full = request.bytes.size() >= kFullSize;
  Buffer bytes = full ? stun::encode_padded(std::move(m), kFullSize, stun::Integrity::sha256, keys_.receive)
                      : stun::encode(m, stun::Integrity::sha256, keys_.receive);
  transmits_.push_back({request.from, std::move(bytes), 0, 0});
}

// ---- answers to ours

Verdict Set::handle_response(Instant now, const Arrived& response) {
  if (const auto why = unfit(response.decoded, stun::Class::success)) return refuse(*why);
  Check* check = checks_.find(response.decoded.message.transaction);
  if (!check) return refuse(Refusal::unknown_transaction);
  if (!stun::verify(response.bytes, stun::Integrity::sha256, keys_.send)) return refuse(Refusal::wrong_key);
  if (!same_way(check->to, response.from)) return refuse(Refusal::wrong_source);
  checks_.finish(*check);
  Path* path = find(check->to);
  if (!path) {
    const Named name{check->to, response.kind};
    path = create(now, name, Size::unknown);
    if (!path) return refuse(Refusal::table_full);
    events_.push_back(PathProved{name, response.at - check->at, response.decoded.message.mapped});
  }
  proved(now, response, *check, *path);
  handle_timeout(now);
  return {};
}

void Set::proved(Instant now, const Arrived& response, const Check& check, Path& path) {
  path.mapped = response.decoded.message.mapped;
  if (check.full && path.size.passed(now, options_.full_interval))
    events_.push_back(SizeJudged{path.name, path.size.verdict()});
  if (check.probe) take_receipt(response, path);
  const PathHealth before = path.liveness.health();
  if (path.liveness.proof(now)) health_changed(now, path, before);
  if (!path.first_good) path.first_good = now;
}

void Set::take_receipt(const Arrived& response, Path& path) {
  const auto& receipt = response.decoded.message.receipt;
  if (!receipt) return;
  const auto outcome = path.sent.handle_receipt(response.at, *receipt, starvation_);
  if (outcome.rtt) {
    if (!outcome.rtt_suspect) {
      path.rtt.add(*outcome.rtt);
      ++path.samples;
    }
    events_.push_back(RttSampled{path.name, *outcome.rtt, outcome.rtt_suspect});
  }
  const auto account = [&](ProbeDirection direction, std::uint32_t expected, std::uint32_t lost,
                           std::uint32_t suspect) {
    if (expected == 0 && suspect == 0) return;
    events_.push_back(LossAccounted{path.name, direction, expected, lost, suspect});
  };
  account(ProbeDirection::forward, outcome.forward_expected, outcome.forward_lost, outcome.suspect);
  account(ProbeDirection::back, outcome.return_expected, outcome.return_lost, 0);
}

}  // namespace pw::path
