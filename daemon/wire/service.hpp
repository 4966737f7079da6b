// Messages between a node and a bootstrap or relay (proto/service.proto) as plain structs. Protobuf stays inside
// service.cpp. They travel on one stream as framing.hpp says; packets travel in DATAGRAM frames behind their channel.
//
// Addresses say where a packet came from, numbers are checked here for what they can be at all, never for what is allowed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/digest.hpp"
#include "base/peer_id.hpp"
#include "base/result.hpp"
#include "wire/framing.hpp"
#include "wire/record.hpp"
#include "wire/stun.hpp"

namespace pw::wire::service {

inline constexpr std::uint32_t kVersion = 1;
/// Of a Hello: the tag of every secret in force, current and previous.
inline constexpr std::size_t kMaxMeshTags = 2;
inline constexpr std::size_t kMaxObserved = 4;
/// Of a Resumed: more than any server lets a client have.
inline constexpr std::size_t kMaxResumed = 256;
/// Of one Found: with their records the largest message stays below 16 KiB.
inline constexpr std::size_t kMaxFound = 32;

using Channel = std::uint16_t;
using Challenge = std::array<std::uint8_t, 16>;
inline constexpr Channel kFirstOfServer = 0x8000;

/// A set of them.
enum class Services : std::uint8_t { none = 0, bootstrap = 1, carriage = 2, relay = 4 };
constexpr Services operator|(Services a, Services b) {
  return static_cast<Services>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr Services operator&(Services a, Services b) {
  return static_cast<Services>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr bool any(Services s) { return s != Services::none; }

struct Hello {
  std::uint32_t version_min = kVersion;
  std::uint32_t version_max = kVersion;
  Services services = Services::none;
  std::vector<Digest> mesh_tags;
  std::optional<Digest> proof;
  bool notify = false;
  bool resume = false;  // channels of this client's other connection go over to this one
};
struct Welcome {
  std::uint32_t version = kVersion;
  Services services = Services::none;
  std::optional<SocketAddress> observed;  // none: by a WebSocket, where no UDP address is seen
  std::uint32_t max_channels = 0;
  std::uint64_t bytes_per_second = 0;
  std::uint64_t pair_bytes = 0;
  std::uint32_t max_lifetime_s = 0;
  Challenge challenge{};
};
struct Confirm {
  Challenge challenge{};
};
struct Resumed {
  std::vector<Channel> channels;  // that went over
};
struct Observe {
  std::uint32_t request = 0;
};
struct Observed {
  std::uint32_t request = 0;
  std::optional<SocketAddress> address;
};
struct Register {
  std::uint32_t request = 0;
  Buffer record;  // encoded: whoever takes it judges it
};
struct Registered {
  std::uint32_t request = 0;
  std::uint32_t expires_s = 0;
};
struct Lookup {
  std::uint32_t request = 0;
  std::optional<PeerId> peer;
  std::optional<PeerId> after;
};
struct Found {
  struct Entry {
    Buffer record;
    std::vector<SocketAddress> observed;
    std::uint32_t age_s = 0;
    bool present = false;
  };
  std::uint32_t request = 0;
  std::vector<Entry> entries;
  bool more = false;
};
struct PeerPresent {
  PeerId peer;
};
struct PeerGone {
  PeerId peer;
};
struct OpenChannel {
  Channel channel = 0;
  PeerId peer;
};
struct ChannelOpened {
  Channel channel = 0;
  PeerId peer;
};
/// Where the server sees the other end of a channel.
struct PeerObserved {
  Channel channel = 0;
  SocketAddress address;
};
enum class ChannelEnd : std::uint8_t { unspecified, closed, peer_gone, pair_limit };
struct ChannelClosed {
  Channel channel = 0;
  ChannelEnd reason = ChannelEnd::unspecified;
};
struct CheckMapping {
  std::uint32_t number = 0;
  SocketAddress address;
  stun::TransactionId transaction{};
};
struct MappingChecked {
  std::uint32_t number = 0;
};
enum class Request : std::uint8_t { unknown, hello, registration, lookup, open_channel, check_mapping };
enum class Refusal : std::uint8_t {
  unspecified,
  not_admitted,
  full,
  rate,
  bad_record,
  old_record,
  not_offered,
  not_present,
  too_many_channels,
  channel_in_use,
  pair_limit,
  version,
  not_observed  // it is not where the client is seen
};
std::string_view to_string(Refusal reason);
struct Refused {
  Request what = Request::unknown;
  Refusal reason = Refusal::unspecified;
  std::uint32_t number = 0;
};
/// A body that this version does not know.
struct Unknown {};

using Message = std::variant<Hello, Welcome, Observe, Observed, Register, Registered, Lookup, Found, PeerPresent, PeerGone,
                             OpenChannel, ChannelOpened, PeerObserved, ChannelClosed, CheckMapping, MappingChecked, Refused,
                             Confirm, Resumed, Unknown>;

/// With its length in front.
Buffer encode(const Message& message);
/// Without the length. The error names what is wrong with it.
Result<Message> decode(ByteView message);

/// Cuts the stream into messages.
class Reader {
 public:
  void feed(ByteView bytes) { frames_.feed(bytes); }
  /// Nothing yet, a message, or an error, after which the stream is of no more use.
  std::optional<Result<Message>> next() {
    auto message = frames_.next();
    if (!message) return std::nullopt;
    if (!*message) return Result<Message>{tl::unexpected(std::move(message->error()))};
    return decode(**message);
  }

 private:
  FrameReader frames_;
};

/// A packet in its channel, as a DATAGRAM frame carries it.
Buffer in_channel(Channel channel, ByteView packet);
/// None: shorter than a channel and one byte.
std::optional<std::pair<Channel, ByteView>> out_of_channel(ByteView datagram);

}  // namespace pw::wire::service
