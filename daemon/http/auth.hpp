// Who may do what: tokens, and the checks that keep web pages and DNS rebinding from driving the daemon.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace pw::http {

/// The time it takes depends on the lengths only, not on where the two differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

/// The token of "Authorization: Bearer TOKEN", or the password of "Basic base64(user:TOKEN)"; the user is ignored.
std::optional<std::string> token_of(std::string_view authorization);

struct Tokens {
  std::string metrics;  // empty: reading over TCP needs none
  std::string admin;    // empty: no control over TCP
};

/// Nothing if the request may go on, else 401 or 403. The admin token opens reads too; the control socket, whose file
/// mode says who may open it, needs no token.
std::optional<Reply> authorize(const Request& request, Method method, const Tokens& tokens);

/// Host names an IP literal, localhost or one of `names`. A name of somebody else's that resolves to us (DNS
/// rebinding) is none of these.
bool host_allowed(std::string_view host, std::span<const std::string> names);

/// A browser says where a POST comes from: the page must be this server's own. No Origin: no browser.
bool same_origin(std::string_view origin, std::string_view fetch_site, std::string_view host);

}  // namespace pw::http
