// Dial: one attempt to reach a peer: names are looked up, then one handshake goes over all its addresses at once.
// Ended exactly once by its session, which tells the result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "peer/context.hpp"

namespace pw::peer {

class Dial {
 public:
  enum class Step { resolving, handshaking, failed };
  static constexpr std::size_t kMaxNames = 4;       // looked up in one attempt
  static constexpr std::size_t kMaxHandshakes = 4;  // begun in one attempt; all but one with strangers

  /// Asks for the look-ups that the peer's addresses need; starts the handshake at once if they need none.
  Dial(Context& context, Instant now, const event::PeerSpec& spec);

  Step step() const { return step_; }
  bool awaits(std::uint64_t resolve_id) const;
  void handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses);

  /// Somebody else answered at that address, which may well be private and in use here too: the handshake begins anew
  /// with the others. False when there are none; then the attempt has failed.
  bool go_on_without(Instant now, const SocketAddress& stranger);

  /// While handshaking, and while its link waits for admission.
  std::optional<quic::Handle> handle() const { return handle_; }
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

  Context& context_;
  PeerId peer_;
  Instant started_;
  Step step_ = Step::resolving;
  std::vector<Lookup> lookups_;
  std::vector<PathAddress> candidates_;
  std::optional<quic::Handle> handle_;
  std::size_t handshakes_ = 0;
  event::ErrorType error_ = event::ErrorType::unknown;
  std::string detail_;
};

}  // namespace pw::peer
