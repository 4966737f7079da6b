// Request targets, their queries, and the bodies of requests: bytes from anybody who reaches the HTTP port.
// Input: the target, a newline, the body.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "http/auth.hpp"
#include "http/body.hpp"
#include "http/events_query.hpp"
#include "http/routes.hpp"
#include "http/target.hpp"

namespace {

using namespace pw;

void target(std::string_view text) {
  const auto parsed = http::parse_target(text);
  if (!parsed) {
    PW_CHECK(!parsed.error().detail.empty());
    return;
  }
  PW_CHECK(text.size() <= http::kMaxTarget && parsed->segments.size() <= http::kMaxSegments &&
           parsed->parameters.size() <= http::kMaxParameters);
  for (const auto& segment : parsed->segments) PW_CHECK(!segment.empty() && http::valid_utf8(segment));
  for (const auto& [name, value] : parsed->parameters) PW_CHECK(http::valid_utf8(name) && http::valid_utf8(value));
  static_cast<void>(http::match(*parsed));
  if (const auto query = http::parse_events_query(*parsed)) PW_CHECK(query->limit > 0);
}

void body(std::string_view text) {
  if (const auto ping = http::parse_ping(text)) PW_CHECK(ping->size <= http::kMaxPingSize);
  if (const auto bandwidth = http::parse_bandwidth(text))
    PW_CHECK(bandwidth->bytes <= http::kMaxBandwidthBytes && bandwidth->duration >= http::kMinBandwidthDuration &&
             bandwidth->duration <= http::kMaxBandwidthDuration);
  if (const auto connect = http::parse_connect(text)) PW_CHECK(connect->addresses.size() <= http::kMaxConnectAddresses);
  static_cast<void>(http::parse_nothing(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all = as_text({data, size});
  const auto end = std::min(all.find('\n'), all.size());
  target(all.substr(0, end));
  body(all.substr(std::min(end + 1, all.size())));
  static_cast<void>(http::token_of(all));
  static_cast<void>(http::parse_duration(all));
  static_cast<void>(http::host_allowed(all, {}));
  return 0;
}
