#include "base/websocket_address.hpp"

#include <algorithm>

#include "base/address.hpp"

namespace pw {
namespace {

constexpr std::string_view kScheme = "wss://";

bool has_port(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  return authority.find(':', bracket == std::string_view::npos ? 0 : bracket) != std::string_view::npos;
}

}  // namespace

Result<WebSocketAddress> WebSocketAddress::parse(std::string_view text) {
  const std::string whole = "\"" + std::string{text} + "\"";
  if (!text.starts_with(kScheme)) return fail(whole + ": write wss://host/path");
  const std::string_view rest = text.substr(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string authority{rest.substr(0, slash)};
  if (!has_port(authority)) authority += ':' + std::to_string(kDefaultPort);
  const auto place = HostPort::parse(authority);
  if (!place) return tl::unexpected(place.error());
  WebSocketAddress out{place->host, place->port, slash == rest.size() ? "/" : std::string{rest.substr(slash)}};
  if (out.path.size() > kMaxPath) return fail(whole + ": a path has at most 256 characters");
  const auto bad = std::ranges::find_if(out.path, [](char c) { return c <= ' ' || c > '~' || c == '#'; });
  if (bad != out.path.end()) return fail(whole + ": a path has only printable ASCII, and no '#'");
  return out;
}

std::string WebSocketAddress::to_string() const {
  const std::string place = HostPort{host, port}.to_string();
  const std::string_view shown =
      port == kDefaultPort ? std::string_view{place}.substr(0, place.rfind(':')) : std::string_view{place};
  return std::string{kScheme} + std::string{shown} + path;
}

}  // namespace pw
