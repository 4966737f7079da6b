// The HTTP server: TCP for reading, the control socket for control (docs/http-api.md). Runs on the caller's io_context,
// on one thread, and calls the backend on that thread only. A client that is slow, endless, oversized or malformed
// loses its connection and costs nothing else: every wait has a deadline, every buffer and table a bound.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "http/application.hpp"
#include "http/backend.hpp"
#include "http/deadlines.hpp"
#include "observe/metrics.hpp"
#include "observe/recent.hpp"

namespace boost::asio {
class io_context;
}

namespace pw::http {

struct Options {
  std::vector<SocketAddress> listen;
  std::string control_socket;  // empty: none
  Policy policy;
  Deadlines deadlines;
};

class Server {
 public:
  /// Listening on all of `options`, or the reason why not. The references outlive the server and what the io_context
  /// still holds of it: run the io_context dry, or destroy it, before them.
  static Result<std::unique_ptr<Server>> start(boost::asio::io_context& context, Options options, Backend& backend,
                                               const observe::RecentEvents& recent, observe::HttpMetrics& metrics);
  ~Server();

  /// On the server's thread. Tokens, names and rates of a reload; addresses need a restart.
  void configure(Policy policy);
  /// On the server's thread. No new connections; streams and idle ones end now, answers under way are finished first,
  /// so that the io_context runs dry within the longest deadline. The control socket's file is removed.
  void stop();
  /// In the order of Options::listen, with the ports that the kernel chose.
  std::vector<SocketAddress> addresses() const;
  std::size_t connections() const;

 private:
  struct Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace pw::http
