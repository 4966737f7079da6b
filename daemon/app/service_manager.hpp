// What the service manager is told (sd_notify(3)). Without one, every call does nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace pw::app {

class ServiceManager {
 public:
  /// Takes NOTIFY_SOCKET and WATCHDOG_* from the environment.
  ServiceManager();

  /// Running, whether or not any peer is connected.
  void ready(std::string_view status);
  void reloading(Instant now);
  void stopping();
  /// One line for `systemctl status`.
  void status(std::string_view text);
  void feed_watchdog();
  /// How often it wants to be fed at least; none: it doesn't watch.
  std::optional<Duration> watchdog() const { return watchdog_; }

 private:
  std::optional<Duration> watchdog_;
  std::string last_status_;
};

}  // namespace pw::app
