// What every part of this room is given: the node's QUIC endpoint, the queues that leave the core, and what is in
// force.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "base/rng.hpp"
#include "base/token_bucket.hpp"
#include "base/transmit.hpp"
#include "event/command.hpp"
#include "event/event.hpp"
#include "event/request.hpp"
#include "nat/birthday.hpp"
#include "peer/fitness.hpp"
#include "peer/further_sockets.hpp"
#include "peer/observations.hpp"
#include "peer/options.hpp"
#include "peer/whereabouts.hpp"
#include "probe/quota.hpp"
#include "probe/starvation.hpp"
#include "quic/endpoint.hpp"
#include "wire/stun.hpp"

namespace pw::peer {

/// A STUN message of somebody's connectivity check as it came: `bytes` is what `decoded` was made from.
struct StunArrival {
  Instant at{};  // when the kernel had it
  PathAddress from;
  ByteView bytes;
  const wire::stun::Decoded& decoded;
};

enum class Carried : std::uint8_t { quic, check };

/// A connectivity check or its answer on its way out, counted as traffic of the connection that it is for; or a question to
/// a STUN server, which is nobody's. They keep their order: what it is about are ports that a NAT gives one after another.
struct CheckOut {
  std::optional<quic::Handle> connection;
  Transmit transmit;
};

/// What a session wants of the channels through relays. Whatever it seeks is answered once, by Table::handle_channel or
/// handle_no_channel, unless it is abandoned before.
/// `beside`: by another server than those that lead there already or are in doubt themselves. Said again without that, it is
/// sought anywhere.
struct SeekChannel { PeerId peer; bool beside = false; };
struct AbandonSearch { PeerId peer; };
struct ReleaseChannel { Via via; };  // that was sought
struct DoubtChannel { Via via; };    // nothing comes through it: does its server still reach us?
using ChannelWish = std::variant<SeekChannel, AbandonSearch, ReleaseChannel, DoubtChannel>;

/// The answer where there is no channel to be had. `absent`: servers were asked, and it is the peer that is not there.
struct NoChannel {
  std::string why;
  bool absent = false;
};

/// What leaves the core; the driver drains it after every input.
struct Outbox {
  std::deque<event::Record> events;
  std::deque<event::Reply> replies;
  std::deque<CheckOut> checks;
  std::deque<event::Request> requests;
  std::deque<ChannelWish> channel_wishes;  // the node takes them

  void emit(Instant now, event::Event e) { events.push_back({now, std::move(e)}); }
  void reply(event::Ticket ticket, event::Answer answer) { replies.push_back({ticket, std::move(answer)}); }
  void fail(event::Ticket ticket, event::CommandError code, std::string detail) {
    reply(ticket, tl::unexpected(event::CommandFailure{code, std::move(detail)}));
  }
};

/// Dials of all peers together: a node with a thousand peers does not start them in one burst.
inline constexpr double kDialsPerSecond = 200;
inline constexpr double kDialBurst = 50;

/// Packets to places where nobody may be, of all rounds of punching and all checks of candidates together: a node with a
/// thousand relayed sessions does not look for all of these peers in one burst when its network changes.
inline constexpr double kPacketBudget = 500;  // a second, and as many saved
inline constexpr double kLeastPacketBurst = 50;

struct Context {
  const Options& options;
  Membership membership;
  PeerId self;
  event::InstanceId instance;
  quic::Endpoint& endpoint;
  Outbox& out;
  Rng rng;
  probe::Starvation starvation;
  probe::BandwidthQuota bandwidth_quota;
  bool bandwidth_busy = false;  // one active measurement a node at a time, whoever asked for it
  TokenBucket dials{kDialsPerSecond, kDialBurst};
  std::uint64_t next_resolve = 0;
  std::unordered_map<quic::Handle, PeerId> owners;     // whose connection it is: from dial or Established to Closed
  std::unordered_map<std::uint64_t, PeerId> lookups;   // who asked
  std::unordered_map<std::string, quic::Handle> tags;  // path::Keys::own_tag of every link
  std::unordered_set<Via> by_websocket{};  // channels through a server that is reached through a pipe
  std::uint32_t next_via = 1;  // of whatever carries packets besides our own sockets
  Fitness fitness{};
  Whereabouts whereabouts{};
  Observations observations{};
  TokenBucket packets{kPacketBudget, kPacketBudget};
  nat::SearchSlot search{};
  FurtherSockets sockets{};
  std::array<std::uint64_t, enum_count<event::Budget>()> denied{};  // by event::Budget, until it is told
  bool rendezvous = false;     // there are servers through which peers may be reached
  bool stopping = false;

  void limit_packets(double a_second) { packets = TokenBucket{a_second, std::max(a_second, kLeastPacketBurst)}; }
  void close_socket(Via via) {
    sockets.remove(via);
    out.requests.emplace_back(event::CloseSocket{via});
  }
  void deny(event::Budget budget, std::uint64_t count = 1) { denied[static_cast<std::size_t>(budget)] += count; }
  event::PathKind kind_of(const PathAddress& path) const {
    if (path.relayed())
      return by_websocket.contains(path.via) ? event::PathKind::relay_websocket : event::PathKind::relay_quic;
    return path.remote.ip.family() == Family::v4 ? event::PathKind::direct_v4 : event::PathKind::direct_v6;
  }
};

/// Application error codes of CONNECTION_CLOSE between peers.
enum class CloseCode : std::uint64_t {
  done = 0,       // a goodbye was answered
  duplicate = 1,  // the other of two connections was kept
  replaced = 2,   // a newer instance of the peer, or a newer connection, took its place
  protocol = 3,
  timeout = 4,     // admission took too long, or no path was alive
  refused = 0x100  // + AdmissionRefusal
};

}  // namespace pw::peer
