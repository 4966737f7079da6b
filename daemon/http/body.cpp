#include "http/body.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/nearest.hpp"

namespace pw::http {
namespace {

using nlohmann::json;
using Members = std::initializer_list<std::string_view>;

/// An object whose members are all among `known`.
Result<json> parse_object(std::string_view body, Members known) {
  if (body.empty()) return json::object();
  if (!nesting_within(body, kMaxJsonDepth)) return fail("the body nests deeper than " + std::to_string(kMaxJsonDepth));
  json object = json::parse(body, nullptr, false);
  if (object.is_discarded()) return fail("the body is no valid JSON");
  if (!object.is_object()) return fail("the body must be a JSON object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto meant = nearest(key, known);
    return fail("the body has an unknown member" + (meant ? "; did you mean \"" + *meant + "\"?" : std::string{}));
  }
  return object;
}

/// The member as an integer within [low, high], or nothing if it is absent.
Result<std::optional<std::uint64_t>> integer(const json& object, std::string_view key, std::uint64_t low,
                                             std::uint64_t high) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  const auto bad = [&] {
    return fail("\"" + std::string{key} + "\" must be an integer from " + std::to_string(low) + " to " +
                std::to_string(high));
  };
  if (!found->is_number_unsigned()) return bad();
  const auto value = found->get<std::uint64_t>();
  if (value < low || value > high) return bad();
  return value;
}

}  // namespace

bool nesting_within(std::string_view text, unsigned limit) {
  unsigned depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if ((c == '{' || c == '[') && ++depth > limit) return false;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return true;
}

Result<PingBody> parse_ping(std::string_view body) {
  const auto object = parse_object(body, {"size"});
  if (!object) return tl::unexpected{object.error()};
  const auto size = integer(*object, "size", 0, kMaxPingSize);
  if (!size) return tl::unexpected{size.error()};
  return PingBody{static_cast<std::uint32_t>(size->value_or(0))};
}

Result<BandwidthBody> parse_bandwidth(std::string_view body) {
  const auto object = parse_object(body, {"bytes", "duration_ms"});
  if (!object) return tl::unexpected{object.error()};
  constexpr auto kMilliseconds = [](Duration d) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
  };
  const auto bytes = integer(*object, "bytes", 1, kMaxBandwidthBytes);
  if (!bytes) return tl::unexpected{bytes.error()};
  const auto duration =
      integer(*object, "duration_ms", kMilliseconds(kMinBandwidthDuration), kMilliseconds(kMaxBandwidthDuration));
  if (!duration) return tl::unexpected{duration.error()};
  const auto milliseconds = duration->value_or(kMilliseconds(kDefaultBandwidthDuration));
  return BandwidthBody{bytes->value_or(kDefaultBandwidthBytes), std::chrono::milliseconds{milliseconds}};
}

Result<ConnectBody> parse_connect(std::string_view body) {
  const auto object = parse_object(body, {"addresses"});
  if (!object) return tl::unexpected{object.error()};
  ConnectBody result;
  const auto found = object->find("addresses");
  if (found == object->end()) return result;
  if (!found->is_array() || found->size() > kMaxConnectAddresses)
    return fail("\"addresses\" must be an array of at most " + std::to_string(kMaxConnectAddresses) + " strings");
  for (const json& item : *found) {
    if (!item.is_string()) return fail("\"addresses\" must hold strings, each HOST:PORT");
    auto address = HostPort::parse(item.get_ref<const std::string&>());
    if (!address) return fail("\"addresses\": " + address.error().detail);
    result.addresses.push_back(std::move(*address));
  }
  return result;
}

Status parse_nothing(std::string_view body) {
  const auto object = parse_object(body, {});
  if (!object) return tl::unexpected{object.error()};
  return {};
}

}  // namespace pw::http
