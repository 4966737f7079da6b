// What every part of this room is given: the node's QUIC endpoint, the queues that leave the core, and what is in
// force.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <variant>

#include "base/rng.hpp"
#include "base/token_bucket.hpp"
#include "base/transmit.hpp"
#include "event/command.hpp"
#include "event/event.hpp"
#include "event/request.hpp"
#include "nat/birthday.hpp"
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

/// A connectivity check or its answer on its way out. Counted as traffic of the connection that it is for.
struct CheckOut {
  quic::Handle connection;
  Transmit transmit;
};

/// What a session wants of the channels through relays. Whatever it seeks is answered once, by Table::handle_channel or
/// handle_no_channel, unless it is abandoned before.
struct SeekChannel { PeerId peer; };
struct AbandonSearch { PeerId peer; };
struct ReleaseChannel { Via via; };  // that was sought
struct DoubtChannel { Via via; };    // nothing comes through it: does its server still reach us?
using ChannelWish = std::variant<SeekChannel, AbandonSearch, ReleaseChannel, DoubtChannel>;

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

/// Packets of all rounds of punching together: nat/punch.hpp.
inline constexpr double kPunchPacketsPerSecond = 500;
inline constexpr double kPunchPacketBurst = 50;

/// Candidates of all peers together, each checked by a few packets: a node with a thousand relayed sessions does not check
/// them in one burst when its network changes.
inline constexpr double kCandidatesPerSecond = 100;
inline constexpr double kCandidateBurst = 100;

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
  std::uint32_t next_via = 1;  // of whatever carries packets besides our own sockets
  Whereabouts whereabouts{};
  Observations observations{};
  TokenBucket candidates{kCandidatesPerSecond, kCandidateBurst};
  TokenBucket punch_packets{kPunchPacketsPerSecond, kPunchPacketBurst};
  nat::SearchSlot search{};
  bool rendezvous = false;     // there are servers through which peers may be reached
  bool stopping = false;
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
