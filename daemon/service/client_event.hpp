// What a client of a bootstrap or relay tells. Every struct names the server, so that several clients share a queue.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "event/request.hpp"
#include "event/service.hpp"
#include "wire/service.hpp"

namespace pw::service {

using RequestKind = event::ServiceRequest;
using RequestResult = event::RequestResult;

enum class ChannelLoss : std::uint8_t {
  refused,          // was never up
  timeout,          // nor was it answered
  closed,           // by the peer
  peer_gone,        // the peer left the server
  pair_limit,       // the carriage's bytes are used up
  connection_lost,  // to the server
  local             // by close_channel
};

struct ServiceUp {
  PeerId server;
  wire::service::Services services;
  event::Transport transport;
  std::optional<SocketAddress> observed;  // none through a pipe
  std::uint64_t pair_bytes;  // 0: no cap
  Duration took;             // from the dial
};
struct ServiceDown {
  PeerId server;
  bool was_up;
  event::ErrorType error;
  std::string detail;
};
/// From a pipe to UDP: those of its channels that it has still are told first, by ChannelMoved.
struct ServiceMoved {
  PeerId server;
  event::Transport to;
  std::optional<SocketAddress> observed;
};
struct AddressObserved {
  PeerId server;
  SocketAddress address;
};
/// One for every request, also for those that another event answers.
struct RequestDone {
  PeerId server;
  RequestKind kind;
  RequestResult result;
  wire::service::Refusal reason;  // of `refused`
  Duration took;
};
/// Of Client::check_mapping.
struct MappingAnswered {
  PeerId server;
  std::uint32_t number;
  std::optional<wire::service::Refusal> refusal;  // none: a packet was sent
};
struct Located {
  wire::PeerRecord record;  // its signature is good, it is whom one asked for, and in time
  std::vector<SocketAddress> observed;
  bool present;
};
/// A whole mesh comes in several of them; `more`: not the last one.
struct LookupDone {
  PeerId server;
  std::uint32_t request;
  std::optional<PeerId> peer;
  RequestResult result;
  std::vector<Located> found;
  std::size_t rejected;  // records that proved nothing
  bool more;
};
struct PeerSeen {
  PeerId server;
  PeerId peer;
  bool present;
};
struct ChannelUp {
  PeerId server;
  Via via;
  PeerId peer;
  bool inbound;
  event::Transport transport;  // of the connection to the server
};
/// Another opened a channel to this node that it has no room for: it was closed at once.
struct ChannelTurnedAway {
  PeerId server;
  PeerId peer;
};
/// The connection to its server is another.
struct ChannelMoved {
  PeerId server;
  Via via;
  PeerId peer;
  event::Transport to;
};
/// Where the server sees the peer at the other end of a channel.
struct PeerObserved {
  PeerId server;
  Via via;
  PeerId peer;
  SocketAddress address;
};
struct ChannelDown {
  PeerId server;
  Via via;
  PeerId peer;
  ChannelLoss why;
  wire::service::Refusal refusal;  // of `refused`
};
/// A packet that came through a channel: for whoever tells datagrams apart, like those of a socket.
struct Arrived {
  PathAddress from;
  Instant received_at;
  Buffer bytes;
};
using ClientEvent = std::variant<ServiceUp, ServiceDown, AddressObserved, RequestDone, LookupDone, PeerSeen, ChannelUp,
                                 ChannelTurnedAway, PeerObserved, ChannelDown, MappingAnswered, Arrived, ServiceMoved, ChannelMoved,
                                 event::OpenPipe, event::ClosePipe>;

}  // namespace pw::service
