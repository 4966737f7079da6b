// The daemon's HTTP API, blocking. What the commands need of it, and the real thing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace pw::cli {

struct Response {
  unsigned status = 0;
  std::string body;
};

/// One server-sent event.
struct StreamEvent {
  std::string id;
  std::string type;
  std::string data;
};

class Daemon {
 public:
  virtual ~Daemon() = default;
  /// An error means that there is no answer: the daemon can't be reached, or stopped in the middle. POST sends JSON.
  virtual Result<Response> ask(std::string_view method, const std::string& target, const std::string& body,
                               Duration patience) = 0;
  /// Calls `each` for every event until it returns false, or the stream ends. A response other than 200 comes back.
  virtual Result<Response> follow(const std::string& target, const std::string& last_id,
                                  const std::function<bool(const StreamEvent&)>& each) = 0;
};

/// Where the daemon is: a socket's path, or "http://HOST[:PORT]".
struct Endpoint {
  std::string socket;  // empty: over TCP
  std::string host;    // without brackets
  std::string port = "9470";
  std::string authority = "localhost";  // for Host
};
Result<Endpoint> parse_url(std::string_view url);

std::unique_ptr<Daemon> make_daemon(Endpoint endpoint, std::string token);

/// Cuts a stream of server-sent events (WHATWG HTML, section 9.2) into events; comments and unknown fields are skipped.
class EventReader {
 public:
  static constexpr std::size_t kMaxLine = 1UL << 20;  // no event of the daemon's has a thousandth of it
  /// False when `each` said so, or a line is too long.
  bool take(std::string_view bytes, const std::function<bool(const StreamEvent&)>& each);

 private:
  void line(std::string_view text);
  std::string rest_;
  StreamEvent event_;
};

}  // namespace pw::cli
