// Dial: one attempt to reach a peer: names are looked up, then one handshake goes over all its addresses at once. Where
// there are servers, a channel to it is sought meanwhile, and a second handshake goes over that; addresses that answer
// have a head start. Whichever handshake is done first is kept and all others are closed before anything is said over it:
// so both sides keep the same one. Ended exactly once by its session, which tells the result.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "peer/context.hpp"

namespace pw::peer {

class Dial {
 public:
  static constexpr std::size_t kMaxNames = 4;       // looked up in one attempt
  static constexpr std::size_t kMaxHandshakes = 4;  // begun in one attempt over addresses; all but one with strangers
  /// Of the peer's addresses before a relay: three round trips of the Earth's other side would be more, a session that
  /// moves later costs less than one that comes up late.
  static constexpr Duration kHeadStart = 250ms;

  /// Asks for the look-ups that the peer's addresses need; starts the handshake at once if they need none.
  Dial(Context& context, Instant now, const event::PeerSpec& spec);

  /// Nothing is left to hope for: error() and detail() say why.
  bool failed() const { return lookups_.empty() && handshakes_.empty() && !seeking_ && relay_at_ == kNever; }
  bool awaits(std::uint64_t resolve_id) const;
  void handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses);

  // ---- through servers
  bool seeks() const { return seeking_; }
  void handle_channel(Instant now, Via via);
  void handle_no_channel(const NoChannel& answer);
  /// A channel of this dial is no more. False: it was none of this dial's.
  bool handle_channel_lost(Instant now, Via via);
  void handle_timeout(Instant now);
  Instant next_timeout() const { return relay_at_; }

  // ---- its handshakes, until Closed; the one that was kept while its link waits for admission
  bool owns(quic::Handle handle) const { return std::ranges::find(handshakes_, handle) != handshakes_.end(); }
  const std::vector<quic::Handle>& handles() const { return handshakes_; }
  /// It is done: all others are closed, and nothing else is sought.
  void keep(Instant now, quic::Handle handle);
  /// It ended, or is the session's now.
  void forget(quic::Handle handle) { std::erase(handshakes_, handle); }
  /// One of its ways came to nothing, while others may still lead to the peer.
  void note(event::ErrorType error, const std::string& detail) {
    error_ = error;
    explain(detail);
  }
  /// Somebody else answered at that address, which may well be private and in use here too: the handshake begins anew
  /// with the others. False when there are none.
  bool go_on_without(Instant now, const SocketAddress& stranger);
  /// Ends the search, and gives up the channel unless it is `kept`: then it is the caller's.
  void let_go(Via kept);

  /// The peer's addresses, as far as names were looked up.
  const std::vector<PathAddress>& candidates() const { return candidates_; }
  /// Servers know that the peer is not there.
  bool absent() const { return absent_; }
  Instant started() const { return started_; }
  event::ErrorType error() const { return error_; }
  const std::string& detail() const { return detail_; }
  SocketAddress remote() const { return candidates_.empty() ? SocketAddress{} : candidates_.front().remote; }

 private:
  struct Lookup {
    std::uint64_t id;
    std::string host;
    std::uint16_t port;
  };
  void add(const IpAddress& ip, std::uint16_t port);
  void proceed(Instant now);
  std::optional<quic::Handle> dial(Instant now, std::span<const PathAddress> paths);
  void explain(const std::string& why);

  Context& context_;
  PeerId peer_;
  Instant started_;
  std::vector<Lookup> lookups_;
  std::vector<PathAddress> candidates_;
  std::vector<quic::Handle> handshakes_;
  std::size_t direct_ = 0;  // handshakes over addresses, so far
  bool seeking_ = false;
  std::optional<Via> channel_;
  std::optional<quic::Handle> relayed_;  // the handshake over it
  Instant relay_at_ = kNever;            // when that begins
  bool absent_ = false;
  event::ErrorType error_ = event::ErrorType::unknown;
  std::string detail_;
};

}  // namespace pw::peer
