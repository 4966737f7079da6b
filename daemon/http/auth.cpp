#include "http/auth.hpp"

#include <algorithm>
#include <cctype>

#include "base/address.hpp"

namespace pw::http {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

std::optional<std::string> base64_decode(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  unsigned bits = 0, value = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    value = (value << 6 | static_cast<unsigned>(digit)) & 0xffffU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(value >> bits & 0xffU));
  }
  return out;
}

Reply unauthorized(std::string_view detail) {
  Reply reply = problem(401, detail);
  reply.headers.emplace_back("WWW-Authenticate",
                             R"(Bearer realm="peerwatch", Basic realm="peerwatch", charset="UTF-8")");
  return reply;
}

}  // namespace

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other));
  }
  return difference == 0;
}

std::optional<std::string> token_of(std::string_view authorization) {
  const auto space = authorization.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto scheme = authorization.substr(0, space);
  auto credentials = authorization.substr(space);
  credentials.remove_prefix(std::min(credentials.find_first_not_of(' '), credentials.size()));
  while (credentials.ends_with(' ')) credentials.remove_suffix(1);
  if (credentials.empty()) return std::nullopt;
  if (equal_ignoring_case(scheme, "bearer")) return std::string{credentials};
  if (!equal_ignoring_case(scheme, "basic")) return std::nullopt;
  const auto pair = base64_decode(credentials);
  if (!pair) return std::nullopt;
  const auto colon = pair->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return pair->substr(colon + 1);
}

std::optional<Reply> authorize(const Request& request, Method method, const Tokens& tokens) {
  if (request.client.control) return std::nullopt;
  const auto token = token_of(request.authorization);
  const bool admin = token && !tokens.admin.empty() && equal_in_constant_time(*token, tokens.admin);
  if (method == Method::post) {
    if (tokens.admin.empty())
      return problem(403, "control over TCP is off: set http.admin_token_file, or use the control socket");
    if (!admin) return unauthorized(token ? "this is not the admin token" : "control over TCP needs the admin token");
    return std::nullopt;
  }
  if (tokens.metrics.empty() || admin) return std::nullopt;
  if (token && equal_in_constant_time(*token, tokens.metrics)) return std::nullopt;
  return unauthorized(token ? "this is not the metrics token" : "reading over TCP needs the metrics token");
}

bool host_allowed(std::string_view host, std::span<const std::string> names) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return false;
    const auto port = host.substr(end + 1);
    return (port.empty() || port.starts_with(':')) && IpAddress::parse(host.substr(1, end - 1)).has_value();
  }
  if (const auto colon = host.find(':'); colon != std::string_view::npos) host = host.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return false;
  if (equal_ignoring_case(host, "localhost") || IpAddress::parse(host)) return true;
  return std::any_of(names.begin(), names.end(), [&](const auto& name) { return equal_ignoring_case(host, name); });
}

bool same_origin(std::string_view origin, std::string_view fetch_site, std::string_view host) {
  if (!fetch_site.empty() && fetch_site != "same-origin" && fetch_site != "none") return false;
  if (origin.empty()) return true;
  for (const std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme) && equal_ignoring_case(origin.substr(scheme.size()), host)) return true;
  return false;
}

}  // namespace pw::http
