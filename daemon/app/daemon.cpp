#include "app/daemon.hpp"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "app/backend.hpp"
#include "app/discovery.hpp"
#include "app/doorbell.hpp"
#include "app/event_queue.hpp"
#include "app/http_thread.hpp"
#include "app/memory.hpp"
#include "app/observers.hpp"
#include "app/reload.hpp"
#include "app/service_manager.hpp"
#include "app/signals.hpp"
#include "app/translate.hpp"
#include "config/print.hpp"
#include "io/clock.hpp"
#include "io/driver.hpp"
#include "io/identity_file.hpp"
#include "io/pipe_tls.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "observe/recent.hpp"
#include "quic/identity.hpp"

namespace pw::app {
namespace {

// The supervisor looks around this often when nothing wakes it.
constexpr Duration kRound = 1s;
// A quarter of the watchdog's time, so that one late round is no emergency.
constexpr int kRoundsAWatchdog = 4;
// A network thread that has not taken a reload by then hangs.
constexpr Duration kReloadPatience = 2s;
// Beyond the driver's own deadline: then its thread hangs, and waiting is over.
constexpr Duration kStopPatience = io::Driver::kStopDeadline + 1s;
constexpr Duration kHurriedStopPatience = 500ms;
// For answers under way when the daemon ends.
constexpr Duration kHttpPatience = 300ms;

std::string joined(const std::vector<SocketAddress>& addresses) {
  std::string out;
  for (const SocketAddress& address : addresses) out += (out.empty() ? "" : " ") + address.to_string();
  return out;
}

class Daemon {
 public:
  Daemon(const Invocation& invocation, const std::map<std::string, std::string>& environment, config::Config config)
      : invocation_{invocation}, environment_{environment}, config_{std::move(config)} {}

  /// Everything that can fail because of how this machine is set up; nothing is said or sent yet.
  Status open();
  int run();

 private:
  Facts facts() const { return {node_info(config_, listening_), config::to_json(config_), others(config_)}; }
  void begin();
  void say_where();
  void supervise();
  void round();
  void take_signals();
  void stop();
  http::ReloadOutcome reload();
  bool apply(const ReloadPlan& plan);
  peer::Membership members(const config::Config& config) const;
  void discover();
  Status serve_websocket();
  observe::MetricsOptions metrics_options_of(const config::Config& config) const;
  void feed_watchdog();
  void move_events();
  std::string status() const;
  int end();

  const Invocation& invocation_;
  const std::map<std::string, std::string>& environment_;
  config::Config config_;
  Signals signals_;
  Doorbell bell_;
  ServiceManager service_;
  MemoryTrim memory_;
  ReloadRequests reloads_{bell_};
  Discovery discovery_{[this](event::Event e) { driver_->tell(std::move(e)); }};

  std::vector<SocketAddress> listening_;
  std::string websocket_;  // where it is served; empty: nowhere
  std::vector<event::Trouble> troubles_;
  std::optional<quic::Identity> identity_;
  std::optional<observe::Log> log_;
  std::optional<observe::Metrics> metrics_;
  observe::RecentEvents recent_;  // HTTP thread
  EventQueue events_;
  std::optional<Observers> observers_;
  std::unique_ptr<io::Driver> driver_;
  std::optional<Backend> backend_;
  std::unique_ptr<HttpThread> http_;  // last: what it still holds refers to what stands above

  std::thread network_;
  std::atomic<bool> network_ended_ = false;
  std::string network_failure_;  // written before network_ended_
  bool stopping_ = false;
  Instant give_up_at_ = kNever;
  std::uint64_t progress_fed_ = 0;
};

Status Daemon::open() {
  const auto file = io::load_identity(config_.node.state_dir, io::entropy);
  if (!file) return tl::unexpected{file.error()};
  if (file->not_stored) troubles_.push_back({"identity", *file->not_stored + "; this node's id lasts until it stops"});
  auto identity = quic::Identity::from_seed(file->seed);
  if (!identity) return fail(file->path + ": " + identity.error().detail);
  identity_.emplace(std::move(*identity));

  auto sockets = io::UdpSockets::open(config_.network.listen);
  if (!sockets) return tl::unexpected{sockets.error()};
  listening_ = sockets->addresses();
  for (const std::string& warning : sockets->warnings()) troubles_.push_back({"network", warning});

  log_.emplace(log_options(config_, isatty(STDERR_FILENO) == 1));
  metrics_.emplace(metrics_options_of(config_));
  observers_.emplace(*log_, *metrics_, events_, [this] { http_->post([this] { move_events(); }); });
  mesh::Options options = mesh_options(config_, file->seed, io::Clock::wall());
  options.listening = listening_;
  driver_ = std::make_unique<io::Driver>(std::move(*sockets), std::move(options), *identity_, io::entropy(),
                                         *observers_);
  observers_->tell_drops_by([this](event::Event e) { driver_->tell(std::move(e)); });
  backend_.emplace(facts(), *driver_, *metrics_, *observers_, events_, reloads_,
                   [this](std::function<void()> task) { http_->post(std::move(task)); });
  if (auto serving = serve_websocket(); !serving) return serving;
  auto http = HttpThread::open({config_.http.listen, config_.http.control_socket, http_policy(config_), {}}, *backend_,
                               recent_, metrics_->http());
  if (!http) return tl::unexpected{http.error()};
  http_ = std::move(*http);
  return {};
}

/// Where clients without UDP come to.
Status Daemon::serve_websocket() {
  const auto& listen = config_.relay_server.websocket_listen;
  if (!listen) return {};
  auto tls = io::PipeTls::server(config_.tls_certificate, config_.tls_key);
  if (!tls) return tl::unexpected{tls.error()};  // the files were good when they were read
  const auto at = driver_->serve_websocket(*listen, std::move(*tls));
  if (!at) return tl::unexpected{at.error()};
  websocket_ = at->to_string();
  return {};
}

observe::MetricsOptions Daemon::metrics_options_of(const config::Config& config) const {
  observe::MetricsOptions out = metrics_options(config, identity_->id());
  if (config.relay_server.websocket_listen)
    if (const auto tls = io::PipeTls::server(config.tls_certificate, config.tls_key))
      out.tls_certificate_expiry = tls->expiry();
  return out;
}

int Daemon::run() {
  begin();
  supervise();
  return end();
}

void Daemon::begin() {
  for (event::Trouble& trouble : troubles_) driver_->tell(std::move(trouble));
  driver_->watch_network(config_.network.exclude_interfaces);
  discovery_.configure(io::Clock::now(), config_.discovery);
  driver_->configure(members(config_), nat_terms(config_));
  http_->start();
  network_ = std::thread{[this] {
    pthread_setname_np(pthread_self(), "network");
    try {
      driver_->run();
    } catch (const std::exception& error) {
      network_failure_ = error.what();
    }
    network_ended_ = true;
    bell_.ring();
  }};
  say_where();
  service_.ready(status());
}

void Daemon::say_where() {
  log_->line(observe::Level::info, observe::Room::app, "peerwatchd " + std::string{version()} + " listens",
             {{"udp", joined(listening_)}, {"http", joined(config_.http.listen)}, {"websocket", websocket_}});
}

void Daemon::supervise() {
  const Duration pause = service_.watchdog() ? std::min(kRound, *service_.watchdog() / kRoundsAWatchdog) : kRound;
  while (!network_ended_) {
    std::array waiting{pollfd{signals_.fd(), POLLIN, 0}, pollfd{bell_.fd(), POLLIN, 0}, pollfd{discovery_.fd(), POLLIN, 0}};
    poll(waiting.data(), waiting.size(), static_cast<int>(pause / 1ms));
    bell_.quiet();
    round();
  }
}

void Daemon::round() {
  take_signals();
  for (auto requests = reloads_.take(); !requests.empty(); requests = reloads_.take()) {
    const auto outcome = stopping_ ? http::ReloadOutcome{false, {}, {}, "the daemon is stopping"} : reload();
    for (const auto& done : requests) done(outcome);
  }
  discover();
  feed_watchdog();
  memory_.tick(io::Clock::now());
  if (!stopping_) service_.status(status());
  if (io::Clock::now() < give_up_at_ || network_ended_) return;
  // Its thread can't be ended from outside, and what it uses must not be destroyed under it.
  std::fputs("peerwatchd: the network thread does not end; ending without it\n", stderr);
  _exit(kExitFailed);
}

void Daemon::take_signals() {
  while (const auto signal = signals_.next()) {
    if (*signal != SIGHUP)
      stop();
    else if (!stopping_)
      reload();
  }
}

/// The first time with a goodbye to peers, the second time at once.
void Daemon::stop() {
  const Instant now = io::Clock::now();
  if (stopping_) {
    driver_->stop_now();
    give_up_at_ = earlier(give_up_at_, now + kHurriedStopPatience);
    return;
  }
  stopping_ = true;
  give_up_at_ = now + kStopPatience;
  service_.stopping();
  http_->post([this] { backend_->begin_stop(); });
  driver_->stop();
}

http::ReloadOutcome Daemon::reload() {
  service_.reloading(io::Clock::now());
  ReloadPlan plan = plan_reload(config_, read_config(invocation_, environment_));
  if (!apply(plan) && plan.outcome.success) {
    plan.outcome = {false, {}, {}, "the network thread does not answer; nothing was changed"};
    log_->line(observe::Level::error, observe::Room::config, "not reloaded: " + plan.outcome.not_tried);
  }
  service_.ready(status());
  return plan.outcome;
}

/// All or nothing: the network thread takes it, or it is withdrawn before anybody has seen it.
bool Daemon::apply(const ReloadPlan& plan) {
  enum class Offer : std::uint8_t { open, taken, withdrawn };
  struct Shared {
    std::atomic<Offer> offer = Offer::open;
    std::promise<void> done;
  };
  const auto shared = std::make_shared<Shared>();
  const auto settle = [shared](Offer as) {
    Offer open = Offer::open;
    return shared->offer.compare_exchange_strong(open, as);
  };
  auto done = shared->done.get_future();
  const bool posted = driver_->post([this, plan, shared, settle, peers = members(plan.config)] {
    if (!settle(Offer::taken)) return;
    if (plan.outcome.success) {
      metrics_->configure(metrics_options_of(plan.config));
      if (plan.config.relay_server.websocket_listen)
        if (auto tls = io::PipeTls::server(plan.config.tls_certificate, plan.config.tls_key))
          driver_->set_websocket_tls(std::move(*tls));
      driver_->configure(peers, nat_terms(plan.config));
    }
    driver_->tell(plan.event);
    shared->done.set_value();
  });
  if (!posted) return false;
  if (done.wait_for(kReloadPatience) != std::future_status::ready) {
    if (settle(Offer::withdrawn)) return false;
    done.wait_for(kReloadPatience);  // it is at it
  }
  if (!plan.outcome.success) return true;
  config_ = plan.config;
  discovery_.configure(io::Clock::now(), config_.discovery);  // another list is in force with the next round
  log_->set_levels(log_options(config_, false).levels);
  http_->post([this, policy = http_policy(config_), changed = facts()] {
    http_->server().configure(policy);
    backend_->change(changed);
  });
  return true;
}

/// Those of the configuration, and those that are discovered.
peer::Membership Daemon::members(const config::Config& config) const {
  peer::Membership all = membership(config);
  discovery_.add_to(all);
  return all;
}

void Daemon::discover() {
  if (stopping_ || !discovery_.tick(io::Clock::now())) return;
  driver_->post([this, peers = members(config_), terms = nat_terms(config_)] { driver_->configure(peers, terms); });
}

void Daemon::feed_watchdog() {
  const auto progress = driver_->progress();
  if (progress == std::exchange(progress_fed_, progress)) return;
  if (service_.watchdog()) service_.feed_watchdog();
}

void Daemon::move_events() {
  for (observe::Entry& entry : events_.take()) recent_.add(std::move(entry));
}

std::string Daemon::status() const {
  return "connected to " + std::to_string(observers_->connected()) + " peers, " + std::to_string(config_.peers.size()) +
         " configured";
}

int Daemon::end() {
  network_.join();
  http_->stop(kHttpPatience);
  log_->tick(kNever);
  if (network_failure_.empty() && stopping_) return kExitGood;
  log_->line(observe::Level::error, observe::Room::app, "the network thread ended: " + network_failure_);
  return kExitFailed;
}

}  // namespace

int run_daemon(const Invocation& invocation, const std::map<std::string, std::string>& environment,
               const config::Config& config) {
  Daemon daemon{invocation, environment, config};
  if (const auto opened = daemon.open(); !opened) {
    std::fputs(("peerwatchd: " + opened.error().detail + "\n").c_str(), stderr);
    return kExitConfiguration;
  }
  return daemon.run();
}

}  // namespace pw::app
