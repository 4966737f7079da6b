// The asking half of Client: requests, their answers, and channels.
#include <algorithm>
#include <utility>

#include "service/client.hpp"

namespace pw::service {

using wire::service::ChannelEnd;
using wire::service::Refusal;
using wire::service::Request;

namespace {

/// Pages of one look-up of a whole mesh: 16 times kMaxFound are as many peers as a node has sessions.
constexpr std::size_t kMaxPages = 16;

ChannelLoss loss_of(ChannelEnd end) {
  switch (end) {
    case ChannelEnd::unspecified:
    case ChannelEnd::closed:
      return ChannelLoss::closed;
    case ChannelEnd::peer_gone:
      return ChannelLoss::peer_gone;
    case ChannelEnd::pair_limit:
      return ChannelLoss::pair_limit;
  }
  return ChannelLoss::closed;
}

/// Of a channel that never came up.
RequestResult result_of(ChannelLoss why) {
  switch (why) {
    case ChannelLoss::timeout:
      return RequestResult::timeout;
    case ChannelLoss::connection_lost:
    case ChannelLoss::local:
      return RequestResult::lost;
    case ChannelLoss::refused:
    case ChannelLoss::closed:
    case ChannelLoss::peer_gone:
    case ChannelLoss::pair_limit:
      return RequestResult::refused;
  }
  return RequestResult::lost;
}

}  // namespace

// ---- requests

std::optional<Client::Pending> Client::answered(Instant now, std::uint32_t request, RequestKind kind,
                                                RequestResult result) {
  const auto found = pending_.find(request);
  if (found == pending_.end() || found->second.kind != kind) return std::nullopt;  // late, or made up
  Pending p = found->second;
  pending_.erase(found);
  emit(RequestDone{server_.id, kind, result, {}, now - p.asked});
  return p;
}

void Client::fail_request(Instant now, std::uint32_t request, RequestResult result) {
  const auto found = pending_.find(request);
  const auto p = answered(now, request, found->second.kind, result);
  if (p->kind == RequestKind::lookup) emit(LookupDone{server_.id, request, p->peer, result, {}, 0, false});
  if (p->kind == RequestKind::enrol && ready()) register_at_ = now + options_.register_retry;
}

bool Client::ask(Instant now) {
  ask_at_ = now + options_.keepalive;
  if (pending_.size() >= options_.max_requests) return false;
  pending_[++last_request_] = {RequestKind::observe, now, {}, 0};
  return send(wire::service::Observe{last_request_});
}

void Client::publish(Instant now, const wire::PeerRecord& record) {
  record_ = record;
  register_at_ = kNever;
  if (!ready() || !any(granted_ & wire::service::Services::bootstrap)) return;
  if (pending_.size() >= options_.max_requests) {
    register_at_ = now + options_.register_retry;
    return;
  }
  pending_[++last_request_] = {RequestKind::enrol, now, {}, 0};
  send(wire::service::Register{last_request_, wire::encode(record)});
}

Result<std::uint32_t> Client::look_up(Instant now, const std::optional<PeerId>& peer) {
  if (!ready()) return fail("not connected to the bootstrap");
  if (!any(granted_ & wire::service::Services::bootstrap)) return fail("no bootstrap");
  if (pending_.size() >= options_.max_requests) return fail("too many unanswered requests");
  pending_[++last_request_] = {RequestKind::lookup, now, peer, 0};
  send(wire::service::Lookup{last_request_, peer, {}});
  return last_request_;
}

Status Client::check_mapping(std::uint32_t number, const SocketAddress& address,
                             const wire::stun::TransactionId& transaction) {
  if (!ready() || !any(granted_ & wire::service::Services::bootstrap)) return fail("no bootstrap");
  if (!send(wire::service::CheckMapping{number, address, transaction})) return fail("the server does not read");
  return {};
}

// ---- answers

void Client::read(Instant now, Line& line, const wire::service::Message& message) {
  if (former_ && &line == &*former_) return;
  if (const auto* welcome = std::get_if<wire::service::Welcome>(&message)) return read(now, line, *welcome);
  if (&line != &*line_) {  // about a connection that is only to be
    const auto* resumed = std::get_if<wire::service::Resumed>(&message);
    if (resumed != nullptr && line.welcome) moved(now, *resumed);
    return;
  }
  if (const auto* refused = std::get_if<wire::service::Refused>(&message)) return read(now, *refused);
  if (!ready()) return;
  if (const auto* m = std::get_if<wire::service::Observed>(&message)) return read(now, *m);
  if (const auto* m = std::get_if<wire::service::Registered>(&message)) return read(now, *m);
  if (const auto* m = std::get_if<wire::service::Found>(&message)) return read(now, *m);
  if (const auto* m = std::get_if<wire::service::ChannelOpened>(&message)) return read(now, *m);
  if (const auto* m = std::get_if<wire::service::PeerObserved>(&message)) return read(*m);
  if (const auto* m = std::get_if<wire::service::ChannelClosed>(&message)) return read(now, *m);
  if (const auto* m = std::get_if<wire::service::MappingChecked>(&message)) emit(MappingAnswered{server_.id, m->number, {}});
  if (const auto* m = std::get_if<wire::service::PeerPresent>(&message)) emit(PeerSeen{server_.id, m->peer, true});
  if (const auto* m = std::get_if<wire::service::PeerGone>(&message)) emit(PeerSeen{server_.id, m->peer, false});
}

/// Nothing may be said before the challenge was said back.
void Client::read(Instant now, Line& line, const wire::service::Welcome& m) {
  if (line.welcome) return;
  line.welcome = m;
  static_cast<void>(send(line, wire::service::Confirm{m.challenge}));
  if (&line != &*line_) return;
  state_ = State::ready;
  give_up_ = kNever;
  backoff_.reset();
  granted_ = m.services & server_.services;  // what was not asked for is not used
  observed_ = m.observed;
  ask_at_ = now + options_.keepalive;
  emit(ServiceUp{server_.id, granted_, transport(), m.observed, m.pair_bytes, now - dialled_at_});
  move_backoff_.reset();
  plan_move(now);
  if (record_) publish(now, wire::PeerRecord{*record_});
}

void Client::read(Instant now, const wire::service::Observed& m) {
  // Unasked nobody is heard: who makes up addresses makes us look for paths anew each time.
  if (!answered(now, m.request, RequestKind::observe, RequestResult::success)) return;
  if (m.request == probe_) abandon_second(now);
  if (std::exchange(observed_, m.address) != m.address && m.address) emit(AddressObserved{server_.id, *m.address});
}

void Client::read(Instant now, const wire::service::Registered& m) {
  if (!answered(now, m.request, RequestKind::enrol, RequestResult::success)) return;
  register_at_ = now + std::max<Duration>(std::chrono::seconds{m.expires_s} / 2, 1s);
}

void Client::read(Instant now, const wire::service::Found& m) {
  auto p = answered(now, m.request, RequestKind::lookup, RequestResult::success);
  if (!p) return;
  LookupDone done{server_.id, m.request, p->peer, RequestResult::success, {}, 0, false};
  std::optional<PeerId> last;
  for (const auto& entry : m.entries) {
    auto record = wire::decode_record(entry.record);
    const bool good = record && judge(*record, p->peer.value_or(record->id), entry.age_s, 0) == wire::RecordVerdict::good;
    if (record) last = record->id;
    if (good && record->id != self_)
      done.found.push_back({std::move(*record), entry.observed, entry.present});
    else
      done.rejected += good ? 0 : 1;
  }
  done.more = m.more && last && !p->peer && p->pages + 1 < kMaxPages;
  if (done.more) {  // the same number, so that the caller knows it again
    pending_[m.request] = {RequestKind::lookup, now, {}, p->pages + 1};
    send(wire::service::Lookup{m.request, {}, last});
  }
  emit(std::move(done));
}

void Client::read(Instant now, const wire::service::Refused& m) {
  const auto refused = [&](RequestKind kind) {
    const auto p = answered(now, m.number, kind, RequestResult::refused);
    if (p) std::get<RequestDone>(events_.back()).reason = m.reason;
    return p;
  };
  switch (m.what) {
    case Request::unknown:
    case Request::hello:  // its close follows, and says the same
      return;
    case Request::registration:
      if (refused(RequestKind::enrol)) register_at_ = now + options_.register_retry;
      return;
    case Request::lookup:
      if (const auto p = refused(RequestKind::lookup))
        emit(LookupDone{server_.id, m.number, p->peer, RequestResult::refused, {}, 0, false});
      return;
    case Request::check_mapping:
      if (ready()) emit(MappingAnswered{server_.id, m.number, m.reason});
      return;
    case Request::open_channel: {
      const auto found = channels_.find(static_cast<Number>(m.number));
      if (m.number > 0xffff || found == channels_.end() || found->second.up) return;
      end_channel(now, found, ChannelLoss::refused, m.reason);
      return;
    }
  }
}

// ---- channels

Result<Via> Client::open_channel(Instant now, const PeerId& peer) {
  if (!ready()) return fail("not connected to the relay");
  if (channels_.size() >= options_.max_channels) return fail("too many channels");
  // Numbers are taken in turn, so that a packet of a channel that is gone rarely finds a new one.
  while (next_channel_ == 0 || channels_.contains(next_channel_))
    next_channel_ = static_cast<Number>((next_channel_ + 1) % wire::service::kFirstOfServer);
  const Number number = next_channel_;
  next_channel_ = static_cast<Number>((number + 1) % wire::service::kFirstOfServer);
  const Via via{next_via_++};
  channels_.emplace(number, Channel{via, peer, false, now});
  send(wire::service::OpenChannel{number, peer});
  return via;
}

std::map<Client::Number, Client::Channel>::iterator Client::by_via(Via via) {
  return std::ranges::find_if(channels_, [via](const auto& c) { return c.second.via == via; });
}

void Client::close_channel(Via via) {
  const auto found = by_via(via);
  if (found == channels_.end() || found->second.abandoned) return;
  send(wire::service::ChannelClosed{found->first, ChannelEnd::closed});
  emit(ChannelDown{server_.id, via, found->second.peer, ChannelLoss::local, {}});
  if (found->second.up)
    channels_.erase(found);
  else
    found->second.abandoned = true;
}

void Client::end_channel(Instant now, std::map<Number, Channel>::iterator at, ChannelLoss why, Refusal refusal) {
  const Channel channel = at->second;
  channels_.erase(at);
  if (!channel.up)
    emit(RequestDone{server_.id, RequestKind::coordinate, result_of(why), refusal, now - channel.asked});
  if (!channel.abandoned) emit(ChannelDown{server_.id, channel.via, channel.peer, why, refusal});
}

bool Client::send(Via via, ByteView packet) {
  const auto found = by_via(via);
  if (found == channels_.end() || !found->second.up || packet.empty() || packet.size() > quic::kUdpPayload) return false;
  return endpoint_.write_datagram(line_->connection, wire::service::in_channel(found->first, packet));
}

void Client::read(Instant now, const wire::service::ChannelOpened& m) {
  auto found = channels_.find(m.channel);
  const bool inbound = m.channel >= wire::service::kFirstOfServer;
  if (inbound ? found != channels_.end() : found == channels_.end() || found->second.up || found->second.peer != m.peer)
    return;
  if (inbound && channels_.size() >= options_.max_channels) {
    send(wire::service::ChannelClosed{m.channel, ChannelEnd::closed});
    return emit(ChannelTurnedAway{server_.id, m.peer});
  }
  if (inbound)
    found = channels_.emplace(m.channel, Channel{Via{next_via_++}, m.peer, false, now}).first;
  else
    emit(RequestDone{server_.id, RequestKind::coordinate, RequestResult::success, {}, now - found->second.asked});
  Channel& channel = found->second;
  if (channel.abandoned) {  // its end was told to both
    channels_.erase(found);
    return;
  }
  channel.up = true;
  emit(ChannelUp{server_.id, channel.via, channel.peer, inbound, transport()});
  std::erase_if(early_, [&](Early& e) {
    if (e.channel != m.channel) return false;
    emit(Arrived{{{}, {}, channel.via}, e.received_at, std::move(e.bytes)});
    return true;
  });
}

void Client::read(const wire::service::PeerObserved& m) {
  const auto found = channels_.find(m.channel);
  if (found == channels_.end() || !found->second.up) return;
  emit(PeerObserved{server_.id, found->second.via, found->second.peer, m.address});
}

void Client::read(Instant now, const wire::service::ChannelClosed& m) {
  if (const auto found = channels_.find(m.channel); found != channels_.end())
    end_channel(now, found, loss_of(m.reason), {});
}

}  // namespace pw::service
