// What people and the driver may ask of the core, and what it answers. Values only: they cross threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "event/vocabulary.hpp"

namespace pw::event {

/// A peer as configuration or an operator describes it.
struct PeerSpec {
  PeerId id;
  std::string name;
  bool always_label = false;
  std::vector<HostPort> addresses;
  bool operator==(const PeerSpec&) const = default;
};

/// Dial now, forgetting the back-off and an earlier disconnect. With addresses, an unknown peer is added (method manual).
struct Connect { PeerId peer; std::vector<HostPort> addresses; };
/// End the session and stay away until Connect.
struct Disconnect { PeerId peer; };
/// One echo over the session's bidirectional stream, padded to `size` bytes.
struct Ping { PeerId peer; std::uint32_t size = 0; };
/// Upload, then download, each at most `bytes` and `duration`.
struct MeasureBandwidth { PeerId peer; std::uint64_t bytes; Duration duration; };

using Command = std::variant<Connect, Disconnect, Ping, MeasureBandwidth>;

struct Done {};
struct PingAnswer { Duration rtt; PathKind path; bool suspect; };
struct BandwidthAnswer { std::uint64_t bytes_outbound; double outbound; std::uint64_t bytes_inbound; double inbound; };  // bytes a second

enum class CommandError : std::uint8_t {
  unknown_peer,
  not_connected,
  timeout,
  busy,      // another measurement runs, or too many pings are under way
  quota,     // the day's byte cap is used up
  refused,   // the peer refused it
  lost,      // the session ended meanwhile
  invalid,
  stopping
};
constexpr auto names(CommandError) {
  return std::array{"unknown_peer"sv, "not_connected"sv, "timeout"sv, "busy"sv,    "quota"sv,
                    "refused"sv,      "lost"sv,          "invalid"sv, "stopping"sv};
}
struct CommandFailure {
  CommandError code;
  std::string detail;
};

using Answer = Result<std::variant<Done, PingAnswer, BandwidthAnswer>, CommandFailure>;

/// The driver's name for a command under way; chosen by the driver, unique while the answer is out.
enum class Ticket : std::uint64_t {};

struct Reply {
  Ticket ticket;
  Answer answer;
};

}  // namespace pw::event
