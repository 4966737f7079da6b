// NetworkWatch: tells of this machine's interfaces: their addresses now, and again when they have changed (rtnetlink(7)).
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "event/interfaces.hpp"

namespace pw::io {

/// As they are now. `exclude`: patterns of names (fnmatch(3)). Blocks for as long as the kernel takes to list them.
Result<event::Interfaces> read_interfaces(const std::vector<std::string>& exclude);

class NetworkWatch {
 public:
  /// An interface that goes takes several messages with it: they are waited for so long, and then told of at once.
  static constexpr Duration kSettle = 20ms;

  /// Called inside the context's run(). An error: they can't be read or watched (any more); the last call then.
  using Tell = std::function<void(Result<event::Interfaces>)>;

  NetworkWatch(boost::asio::io_context& context, std::vector<std::string> exclude, Tell tell);
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  /// Watches from now on. Whoever reads the interfaces after it misses nothing.
  Status start();
  void stop();

 private:
  void await_change();
  void changed();

  std::vector<std::string> exclude_;
  Tell tell_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer settle_;
  bool settling_ = false;
  std::array<char, 8192> messages_{};
};

}  // namespace pw::io
