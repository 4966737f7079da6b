#include "app/service_manager.hpp"

#include <systemd/sd-daemon.h>

namespace pw::app {
namespace {

/// A status is one line: anything else would be further assignments.
std::string one_line(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return out;
}

// The answer only says whether there is a service manager.
void notify(const std::string& state) { static_cast<void>(sd_notify(0, state.c_str())); }

}  // namespace

ServiceManager::ServiceManager() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) > 0) watchdog_ = std::chrono::microseconds{microseconds};
}

void ServiceManager::ready(std::string_view status) { notify("READY=1\nSTATUS=" + one_line(status)); }

void ServiceManager::reloading(Instant now) {
  const auto at = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(at));
}

void ServiceManager::stopping() { notify("STOPPING=1\nSTATUS=saying goodbye to peers"); }

void ServiceManager::status(std::string_view text) {
  if (text == last_status_) return;
  last_status_ = text;
  notify("STATUS=" + one_line(text));
}

void ServiceManager::feed_watchdog() { notify("WATCHDOG=1"); }

}  // namespace pw::app
