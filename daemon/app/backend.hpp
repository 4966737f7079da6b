// Backend: the daemon as the HTTP server sees it. On the HTTP thread; what it asks of the others it posts to them, and
// their answers are posted back.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/observers.hpp"
#include "app/reload.hpp"
#include "http/backend.hpp"
#include "io/driver.hpp"
#include "observe/metrics.hpp"

namespace pw::app {

/// What a reload may change of what the backend shows.
struct Facts {
  http::NodeInfo info;
  std::string config_json;
  std::size_t others_configured = 0;  // peers to have sessions with, and servers
};

class Backend final : public http::Backend {
 public:
  /// Requests that wait for one picture; while the network thread hangs, every further one is turned away.
  static constexpr std::size_t kMaxWaiting = 256;
  /// Silence of the network thread that is a fault.
  static constexpr Duration kMaxSilence = 5s;

  using Post = std::function<void(std::function<void()>)>;

  /// `post` runs a task on the HTTP thread, from any thread. The references outlive this.
  Backend(Facts facts, io::Driver& driver, observe::Metrics& metrics, const Observers& observers, EventQueue& events,
          ReloadRequests& reloads, Post post);

  void change(Facts facts);
  void begin_stop() { stopping_ = true; }

  http::NodeInfo info() const override { return facts_.info; }
  void view(Duration max_age, std::function<void(http::View)> done) override;
  void command(event::Command command, std::function<void(event::Answer)> done) override;
  void reload(std::function<void(http::ReloadOutcome)> done) override;
  bool healthy() const override;
  http::Readiness readiness() const override;
  std::string config_json() const override { return facts_.config_json; }
  void stream_lost(std::uint64_t events) override { events_.add_dropped(events); }

 private:
  void deliver(http::View view);
  Facts facts_;
  io::Driver& driver_;
  observe::Metrics& metrics_;
  const Observers& observers_;
  EventQueue& events_;
  ReloadRequests& reloads_;
  Post post_;
  http::View last_;  // empty once something was answered that it may not show yet
  std::vector<std::function<void(http::View)>> waiting_;
  bool stopping_ = false;
  mutable bool was_ready_ = false;
};

}  // namespace pw::app
