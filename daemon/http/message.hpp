// A request and a reply as this room's logic sees them: no sockets, no Beast.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "http/routes.hpp"

namespace pw::http {

/// Where a request came from.
struct Client {
  bool control = false;  // over the control socket
  IpAddress address;     // over TCP
};

struct Request {
  Client client;
  std::string method;
  std::string target;
  bool http_1_0 = false;
  // Header fields, as sent; empty if absent.
  std::string host, origin, fetch_site, authorization, accept, accept_encoding, content_type, last_event_id;
  bool has_host = false;
  bool has_body = false;  // a length other than 0, or chunked
  std::string body;
};

/// A live stream instead of a body: where it starts and what it lets through.
struct StreamStart {
  std::optional<PeerId> peer;
  std::string type;      // empty: all
  bool resumes = false;  // from `after`; otherwise from now
  std::uint64_t after = 0;
};

struct Reply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool is_stream = false;
  StreamStart stream;
};

/// An error as application/problem+json (RFC 9457).
Reply problem(unsigned status, std::string_view detail);
/// The same with the configuration's or a measurement's own code as a member "code".
Reply problem(unsigned status, std::string_view detail, std::string_view code);
std::string_view status_title(unsigned status);

}  // namespace pw::http
