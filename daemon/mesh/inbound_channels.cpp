#include "mesh/inbound_channels.hpp"

#include <algorithm>

namespace pw::mesh {

std::optional<event::ChannelClosure> InboundChannels::opened(Instant now, Via via, const PeerId& server, const PeerId& peer,
                                                             bool stranger) {
  const auto of_peer = std::ranges::count_if(
      channels_, [&](const auto& c) { return c.second.peer == peer && c.second.server == server; });
  const auto strangers = std::ranges::count_if(channels_, [](const auto& c) { return c.second.stranger; });
  if (static_cast<std::size_t>(of_peer) >= kMaxOfPeer) return event::ChannelClosure::peer_limit;
  if (stranger && static_cast<std::size_t>(strangers) >= kMaxStrangers) return event::ChannelClosure::stranger_limit;
  channels_.insert_or_assign(via, Channel{server, peer, stranger, now + kPatience});
  return std::nullopt;
}

Instant InboundChannels::poll_timeout() const {
  Instant next = kNever;
  for (const auto& [via, channel] : channels_) next = earlier(next, channel.judged_at);
  return next;
}

}  // namespace pw::mesh
