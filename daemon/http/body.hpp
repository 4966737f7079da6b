// Bodies of POST requests: JSON objects of a few known members. Bytes from anybody.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace pw::http {

inline constexpr std::size_t kMaxBody = 64 * 1024;  // the largest real one, connect with every address, is under 5 KiB
inline constexpr unsigned kMaxJsonDepth = 16;       // the parser recurses; no body of ours nests more than twice

inline constexpr std::uint32_t kMaxPingSize = 64 * 1024;  // one control frame; larger is what bandwidth is for
inline constexpr std::uint64_t kDefaultBandwidthBytes = 16ULL << 20;  // each way: 32 measurements in the day's default
inline constexpr std::uint64_t kMaxBandwidthBytes = 1ULL << 30;       // the default cap of a whole day
inline constexpr Duration kDefaultBandwidthDuration = 2s;
inline constexpr Duration kMinBandwidthDuration = 100ms;  // shorter says more about start-up than about the path
inline constexpr Duration kMaxBandwidthDuration = 30s;    // each way: a minute of somebody's line is enough
inline constexpr std::size_t kMaxConnectAddresses = 16;   // as many as a dial would try

struct PingBody {
  std::uint32_t size = 0;
};
struct BandwidthBody {
  std::uint64_t bytes = kDefaultBandwidthBytes;
  Duration duration = kDefaultBandwidthDuration;
};
struct ConnectBody {
  std::vector<HostPort> addresses;
};

/// An empty body means every default. Errors name the member, and the nearest known one for an unknown.
Result<PingBody> parse_ping(std::string_view body);
Result<BandwidthBody> parse_bandwidth(std::string_view body);
Result<ConnectBody> parse_connect(std::string_view body);
/// For routes that take nothing: nothing, or {}.
Status parse_nothing(std::string_view body);

/// Brackets outside strings never nest deeper than `limit`. Looks at brackets and quotes only.
bool nesting_within(std::string_view json, unsigned limit);

}  // namespace pw::http
