#include "cli/daemon_client.hpp"

#include <algorithm>
#include <utility>

namespace pw::cli {

bool EventReader::take(std::string_view bytes, const std::function<bool(const StreamEvent&)>& each) {
  rest_ += bytes;
  std::size_t begin = 0;
  for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    const std::string text = rest_.substr(begin, end - begin);
    begin = end + 1;
    if (!text.empty() && text != "\r") {
      line(text);
      continue;
    }
    const StreamEvent event = std::exchange(event_, {});
    if (!event.data.empty() && !each(event)) return false;
  }
  rest_.erase(0, begin);
  return rest_.size() <= kMaxLine && event_.data.size() <= kMaxLine;
}

void EventReader::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  const auto colon = std::min(text.find(':'), text.size());
  const auto field = text.substr(0, colon);
  auto value = text.substr(std::min(colon + 1, text.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "id") event_.id = value;
  if (field == "event") event_.type = value;
  if (field == "data") event_.data += (event_.data.empty() ? "" : "\n") + std::string{value};
}

Result<Endpoint> parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const auto bad = [] { return fail("the URL must be http://HOST or http://HOST:PORT"); };
  if (url.starts_with("https://"))
    return fail("https is not spoken here: use http:// over a tunnel, or the control socket");
  if (!url.starts_with(kScheme)) return bad();
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  if (url.empty() || url.find_first_of("/?#@ \r\n\t") != std::string_view::npos) return bad();
  Endpoint endpoint;
  endpoint.authority = url;
  std::string_view port;
  if (url.starts_with('[')) {
    const auto end = url.find(']');
    if (end == std::string_view::npos) return bad();
    endpoint.host = url.substr(1, end - 1);
    port = url.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return bad();
  } else {
    const auto colon = std::min(url.find(':'), url.size());
    endpoint.host = url.substr(0, colon);
    port = url.substr(colon);
  }
  if (!port.empty()) {
    port.remove_prefix(1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return bad();
    endpoint.port = port;
  }
  if (endpoint.host.empty()) return bad();
  return endpoint;
}

}  // namespace pw::cli
