// InboundChannels: channels through relays that others opened to this node, and for how long each may stand there. Nobody
// has proved anything by opening one: it is for a handshake, and goes when none came of it, or when what came of it is over.
// Who opened it is the relay's word, so what is decided by it is how many there may be, never who is let in.
//
// Order of calls: opened() and closed() as the client of the relay tells; rearm at poll_timeout.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "event/vocabulary.hpp"

namespace pw::mesh {

class InboundChannels {
 public:
  /// A handshake (quic::Options::handshake_timeout) and what admits it; also between two looks at one that is in use.
  static constexpr Duration kPatience = 15s;
  /// At one server: each side may open one there, and a restarted peer does not wait for its old ones to be gone. What one
  /// server says of a peer takes nothing from it at another.
  static constexpr std::size_t kMaxOfPeer = 4;
  /// Of all whose key will be refused. They get a channel at all so that they are told why.
  static constexpr std::size_t kMaxStrangers = 16;

  struct Channel {
    PeerId server;
    PeerId peer;
    bool stranger = false;  // its key alone is enough to refuse it
    Instant judged_at{};    // when it is looked at next
  };

  /// One too many, to be closed at once, and why.
  std::optional<event::ChannelClosure> opened(Instant now, Via via, const PeerId& server, const PeerId& peer, bool stranger);
  void closed(Via via) { channels_.erase(via); }
  /// Those whose time is over and whose peer has no connection with this node: to be closed.
  template <class Connected>
  std::vector<std::pair<Via, Channel>> expired(Instant now, const Connected& connected);

  Instant poll_timeout() const;

 private:
  std::map<Via, Channel> channels_;
};

template <class Connected>
std::vector<std::pair<Via, InboundChannels::Channel>> InboundChannels::expired(Instant now, const Connected& connected) {
  std::vector<std::pair<Via, Channel>> out;
  for (auto& [via, channel] : channels_) {
    if (channel.judged_at > now) continue;
    channel.judged_at = now + kPatience;
    if (!connected(channel.peer)) out.emplace_back(via, channel);
  }
  for (const auto& [via, channel] : out) channels_.erase(via);
  return out;
}

}  // namespace pw::mesh
