// NetworkWatch: tells of this machine's interfaces and ways out, as they are now, and again when they have changed
// (rtnetlink(7)).
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "event/interfaces.hpp"

namespace pw::io {

/// As they are now. `exclude`: patterns of names (fnmatch(3)). Blocks for as long as the kernel takes to list them.
Result<event::Interfaces> read_interfaces(const std::vector<std::string>& exclude);

struct Network {
  event::Interfaces interfaces;
  std::optional<event::Gateway> gateway_v4;  // as io/routes.hpp says
  std::optional<event::Gateway> gateway_v6;
};
/// All of it.
Result<Network> read_network(const std::vector<std::string>& exclude);

class NetworkWatch {
 public:
  /// An interface that goes takes several messages with it: they are waited for so long, and then told of at once.
  static constexpr Duration kSettle = 20ms;
  /// What could not be read is read again after so long.
  static constexpr Duration kAgain = 1s;

  using Read = std::function<Result<Network>()>;
  /// An error: it could not be read this time, or changes are noticed no more.
  using Tell = std::function<void(Result<Network>)>;

  NetworkWatch(boost::asio::io_context& context, Read read, Tell tell);
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  /// Watches from now on, inside the context's run(). Whoever reads after it misses nothing.
  Status start();
  /// As it is now. What fails is read again, and told.
  Result<Network> read();
  void stop();

 private:
  void await_change();
  void changed();
  void read_after(Duration time);

  Read read_;
  Tell tell_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer settle_;
  bool settling_ = false;  // it is going to be read
  std::array<char, 8192> messages_{};
};

}  // namespace pw::io
