// The carrying half of Server: channels between present clients, and the packets in them.
#include <algorithm>
#include <utility>

#include "service/server.hpp"

namespace pw::service {

using wire::service::Channel;
using wire::service::ChannelEnd;
using wire::service::Refusal;
using wire::service::Request;
using wire::service::Services;

namespace {

/// Packets that wait in a connection for its congestion window: a flush sends ten at most. What waits here instead waits
/// in turns.
constexpr std::size_t kInConnection = 16;
/// While the total rate holds packets back.
constexpr Duration kForwardInterval = 1ms;

}  // namespace

std::optional<Refusal> Server::against(Instant now, const Client& c, const Client* other,
                                       const wire::service::OpenChannel& m) {
  if (!any(c.services & (Services::carriage | Services::relay))) return Refusal::not_offered;
  if (m.channel >= wire::service::kFirstOfServer || c.channels.contains(m.channel)) return Refusal::channel_in_use;
  if (c.channels.size() >= options_.max_channels) return Refusal::too_many_channels;
  if (other == nullptr || other == &c || !share_a_tag(c.tags, other->tags)) return Refusal::not_present;
  if (!any(other->services & (Services::carriage | Services::relay))) return Refusal::not_present;
  if (other->channels.size() >= options_.max_channels) return Refusal::too_many_channels;
  // Each of the two may open one: neither can know what the other is doing.
  for (const auto& [number, end] : c.channels)
    if (end.opened && end.other == other->handle) return Refusal::channel_in_use;
  if (caps_pairs()) {
    const Pair* pair = pair_of(now, c.peer, other->peer);
    if (pair == nullptr || pair->bytes >= options_.pair_bytes) return Refusal::pair_limit;
  }
  return std::nullopt;
}

void Server::open_channel(Instant now, Client& c, const wire::service::OpenChannel& m) {
  Client* other = find(m.peer);
  if (const auto reason = against(now, c, other, m)) return refuse(now, c, Request::open_channel, *reason, m.channel);
  while (other->channels.contains(other->next_channel))
    other->next_channel = static_cast<Channel>((other->next_channel + 1) | wire::service::kFirstOfServer);
  const Channel number = other->next_channel;
  other->next_channel = static_cast<Channel>((number + 1) | wire::service::kFirstOfServer);
  c.channels.emplace(m.channel, End{other->handle, number, forwarder_.open(c.handle, other->handle), true});
  other->channels.emplace(number, End{c.handle, m.channel, forwarder_.open(other->handle, c.handle), false});
  ++channels_;
  count(ServedRequest::coordinate, true);
  send(now, *other, wire::service::ChannelOpened{number, c.peer});
  tell_observed(now, *other, number, c);
  send(now, c, wire::service::ChannelOpened{m.channel, m.peer});
  tell_observed(now, c, m.channel, *other);
}

/// Where the other end of a channel is seen; nothing of one that came by WebSocket.
void Server::tell_observed(Instant now, Client& c, Channel number, const Client& other) {
  if (other.observed) send(now, c, wire::service::PeerObserved{number, *other.observed});
}

/// The same node has come by another way. What waits in queues is lost; what is under way in the former connection still
/// counts as the client's.
std::vector<Channel> Server::take_over(Instant now, Client& c, Client& former) {
  std::vector<Channel> numbers;
  for (auto& [number, end] : former.channels) {
    Client& other = *find(end.other);
    End& back = other.channels.at(end.others_number);
    drop(DropReason::gone, forwarder_.close(end.flow) + forwarder_.close(back.flow));
    end.flow = forwarder_.open(c.handle, other.handle);
    back.flow = forwarder_.open(other.handle, c.handle);
    back.other = c.handle;
    tell_observed(now, other, end.others_number, c);
    numbers.push_back(number);
  }
  c.channels = std::exchange(former.channels, {});
  c.next_channel = former.next_channel;
  c.bytes = former.bytes;
  former.stage = Stage::left;
  former.heir = c.handle;
  deadlines_.set(former.handle, now + options_.former_timeout);
  return numbers;
}

/// `tell`: the client itself too, not only the other end.
void Server::close_channel(Instant now, Client& c, Channel number, ChannelEnd reason, bool tell) {
  const auto found = c.channels.find(number);
  if (found == c.channels.end()) return;
  const End end = found->second;
  c.channels.erase(found);
  --channels_;
  drop(DropReason::gone, forwarder_.close(end.flow));
  if (tell) send(now, c, wire::service::ChannelClosed{number, reason});
  Client* other = find(end.other);
  if (other == nullptr) return;
  const auto there = other->channels.find(end.others_number);
  if (there == other->channels.end()) return;
  drop(DropReason::gone, forwarder_.close(there->second.flow));
  other->channels.erase(there);
  send(now, *other, wire::service::ChannelClosed{end.others_number, reason});
}

Server::Pair* Server::pair_of(Instant now, const PeerId& a, const PeerId& b) {
  const PairKey key{std::min(a, b), std::max(a, b)};
  auto found = pairs_.find(key);
  if (found == pairs_.end()) {
    if (pairs_.size() >= options_.max_pairs) std::erase_if(pairs_, [now](const auto& p) { return p.second.until <= now; });
    if (pairs_.size() >= options_.max_pairs) return nullptr;
    found = pairs_.emplace(key, Pair{0, now + options_.pair_window}).first;
  }
  if (found->second.until <= now) found->second = {0, now + options_.pair_window};
  return &found->second;
}

void Server::on(Instant now, Client& c, const quic::DatagramReceived& e) {
  const auto packet = wire::service::out_of_channel(e.bytes);
  if (!packet) return drop(DropReason::malformed);
  const auto found = c.channels.find(packet->first);
  if (found == c.channels.end()) return drop(DropReason::unknown_channel);
  const End end = found->second;
  const std::size_t size = packet->second.size();
  if (!c.bytes.take(now, static_cast<double>(size))) return drop(DropReason::rate);
  const Client* other = find(end.other);
  if (other == nullptr) return drop(DropReason::gone);
  if (caps_pairs()) {
    Pair* pair = pair_of(now, c.peer, other->peer);
    if (pair == nullptr || pair->bytes + size > options_.pair_bytes) {
      drop(DropReason::pair_limit);
      if (pair != nullptr) pair->bytes = options_.pair_bytes;  // a smaller one that would fit is no use to anybody
      return close_channel(now, c, packet->first, ChannelEnd::pair_limit, true);
    }
    pair->bytes += size;
  }
  if (!forwarder_.push(end.flow, wire::service::in_channel(end.others_number, packet->second))) drop(DropReason::queue);
}

void Server::forward(Instant now) {
  forwarder_.run(
      now,
      [this](quic::Handle to) { return kInConnection - std::min(kInConnection, endpoint_.queued_datagrams(to)); },
      [this](quic::Handle to, const Buffer& packet) {
        if (!endpoint_.write_datagram(to, packet)) return drop(DropReason::gone);
        ++stats_.forwarded_packets;
        stats_.forwarded_bytes += packet.size() - sizeof(Channel);
      });
  next_forward_ = forwarder_.waiting() ? now + kForwardInterval : kNever;
}

}  // namespace pw::service
