// Control messages between two peers (proto/control.proto) as plain structs. Protobuf stays inside control.cpp.
//
// Every stream that a peer opens begins with one byte that says what it is for (StreamKind). The control stream then
// carries messages, each behind its length: 4 bytes, big-endian, at most kMaxControlMessage.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/framing.hpp"

namespace pw::wire {

enum class StreamKind : std::uint8_t { control = 1, echo = 2, bandwidth = 3 };

inline constexpr std::uint32_t kProtocolVersion = 1;

struct AdmissionProof {
  std::array<std::uint8_t, 32> hmac{};
  std::string mesh;
};
struct Hello {
  std::uint32_t version_min = kProtocolVersion;
  std::uint32_t version_max = kProtocolVersion;
  std::array<std::uint8_t, 16> instance{};
  std::string software;
  std::string mesh;
};
enum class GoodbyeReason : std::uint8_t { unspecified, shutdown, operator_request, removed };
struct Goodbye {
  GoodbyeReason reason = GoodbyeReason::unspecified;
};
enum class Transfer : std::uint8_t { upload, download };  // seen from the requester
struct BandwidthRequest {
  std::uint64_t id = 0;
  Transfer direction = Transfer::upload;
  std::uint64_t bytes = 0;
  std::uint64_t duration_ms = 0;
};
enum class BandwidthVerdict : std::uint8_t { accepted, busy, quota };
struct BandwidthAnswer {
  std::uint64_t id = 0;
  BandwidthVerdict verdict = BandwidthVerdict::accepted;
  std::uint64_t bytes = 0;
};
struct BandwidthReport {
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
  std::uint64_t elapsed_us = 0;
};
/// The numbers of enumerations are the schema's, also those that this version does not know.
struct Candidate {
  std::uint32_t kind = 0;
  SocketAddress address;
  std::uint32_t priority = 0;
  bool operator==(const Candidate&) const = default;
};
struct NatVerdict {
  Family family = Family::v4;
  std::uint32_t udp = 0;
  std::uint32_t mapping = 0;
  bool mapping_at_least = false;
  std::uint32_t filtering = 0;
  std::uint32_t allocation = 0;
  std::int32_t step = 0;
  std::optional<SocketAddress> mapped;
  bool operator==(const NatVerdict&) const = default;
};
struct Candidates {
  static constexpr std::size_t kMax = 64;  // in one message; what is taken of them is the receiver's to say
  std::vector<Candidate> candidates;
  std::vector<NatVerdict> nats;
  std::uint32_t methods = 0;
  bool operator==(const Candidates&) const = default;
};
struct Punch {
  std::uint32_t kind = 0;
  std::uint32_t round = 0;
  std::uint32_t method = 0;
  Family family = Family::v4;
  std::uint8_t attempt = 0;
  std::uint16_t first = 0;
  std::int32_t step = 0;
  std::uint32_t count = 0;
  std::uint32_t failure = 0;
  bool operator==(const Punch&) const = default;
};
/// A body that this version does not know: counted and ignored.
struct UnknownMessage {};

using ControlMessage =
    std::variant<AdmissionProof, Hello, Goodbye, BandwidthRequest, BandwidthAnswer, BandwidthReport, Candidates, Punch,
                 UnknownMessage>;

/// With its length in front.
Buffer encode(const ControlMessage& message);
/// Without the length. The error names what is wrong with it.
Result<ControlMessage> decode_control(ByteView message);

/// Cuts the control stream into messages. Holds at most one message of at most kMaxControlMessage.
class ControlReader {
 public:
  void feed(ByteView bytes) { frames_.feed(bytes); }
  /// Nothing yet, a message, or an error, after which the stream is of no more use.
  std::optional<Result<ControlMessage>> next();

 private:
  FrameReader frames_;
};

}  // namespace pw::wire
