// Reading the configuration, at start and again: all or nothing.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "app/doorbell.hpp"
#include "app/options.hpp"
#include "config/load.hpp"
#include "event/event.hpp"
#include "http/backend.hpp"

namespace pw::app {

/// The environment as a map.
std::map<std::string, std::string> environment_of(const char* const* environment);

/// Reads the files that the invocation means, as they are now.
config::Loaded read_config(const Invocation& invocation, const std::map<std::string, std::string>& environment);

struct ReloadPlan {
  /// In force from now on. Keys that need a restart keep their old values, so that what is shown is what holds, and the
  /// next reload names them again.
  config::Config config;
  http::ReloadOutcome outcome;
  event::ConfigReloaded event;
};

/// What a reload from `before` to what was read does. On problems, `config` is `before`.
ReloadPlan plan_reload(const config::Config& before, const config::Loaded& read);

/// Reloads asked for by other threads, waiting for the supervisor. One reload answers all that wait.
class ReloadRequests {
 public:
  /// More than this at once is nobody's wish.
  static constexpr std::size_t kMost = 16;
  using Done = std::function<void(const http::ReloadOutcome&)>;

  explicit ReloadRequests(Doorbell& bell) : bell_{bell} {}
  /// Any thread. False when too many wait.
  bool add(Done done);
  std::vector<Done> take();

 private:
  Doorbell& bell_;
  std::mutex mutex_;
  std::vector<Done> waiting_;
};

}  // namespace pw::app
