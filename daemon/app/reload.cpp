#include "app/reload.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/files.hpp"
#include "io/pipe_tls.hpp"

namespace pw::app {
namespace {

// An event's detail is for a log line; the whole list is in the answer of the reload.
constexpr std::size_t kProblemsInEvent = 3;

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

std::string summary(std::vector<std::string> problems) {
  const std::size_t all = problems.size();
  if (all <= kProblemsInEvent) return joined(problems, "; ");
  problems.resize(kProblemsInEvent);
  return joined(problems, "; ") + "; and " + std::to_string(all - kProblemsInEvent) + " more";
}

/// Listeners stay until a restart, and so does the token without which everybody could read from them. (A configuration
/// is checked against the listeners that it has itself.)
bool would_open_a_listener(const config::Config& before, const config::Config& after) {
  const bool closed = !before.http.metrics_token_file.empty() && !before.http.allow_unauthenticated;
  return closed && after.http.metrics_token_file.empty() &&
         std::ranges::any_of(before.http.listen, [](const SocketAddress& at) { return !at.ip.is_loopback(); });
}

config::Config keep_what_needs_a_restart(const config::Config& before, config::Config after) {
  after.node = before.node;
  after.network = before.network;
  after.recovery = before.recovery;
  after.bootstrap_server.stun_alternate = before.bootstrap_server.stun_alternate;
  after.relay_server.rate_per_client = before.relay_server.rate_per_client;
  after.relay_server.websocket_listen = before.relay_server.websocket_listen;
  after.telemetry = before.telemetry;
  after.privacy = before.privacy;
  after.log.format = before.log.format;
  after.http.listen = before.http.listen;
  after.http.control_socket = before.http.control_socket;
  after.http.rate_limit = before.http.rate_limit;
  after.http.allow_unauthenticated = before.http.allow_unauthenticated;
  if (would_open_a_listener(before, after)) {
    after.http.metrics_token_file = before.http.metrics_token_file;
    after.metrics_token = before.metrics_token;
  }
  return after;
}

}  // namespace

std::map<std::string, std::string> environment_of(const char* const* environment) {
  std::map<std::string, std::string> out;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const auto equals = entry.find('=');
    if (equals != std::string_view::npos) out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

config::Loaded read_config(const Invocation& invocation, const std::map<std::string, std::string>& environment) {
  const config::SystemFiles files;
  config::Sources sources{{}, environment, invocation.overrides};
  if (invocation.config_file) {
    sources.files = {*invocation.config_file};
  } else {
    auto standard = config::standard_files(files);
    if (!standard) {
      config::Loaded failed;
      failed.problems.push_back({config::kStandardDirectory, 0, 0, standard.error().detail, {}});
      return failed;
    }
    sources.files = std::move(*standard);
  }
  config::Loaded loaded = config::load(sources, files);
  if (loaded.ok() && loaded.config.relay_server.websocket_listen)
    if (const auto tls = io::PipeTls::server(loaded.config.tls_certificate, loaded.config.tls_key); !tls)
      loaded.problems.push_back({loaded.config.relay_server.tls_certificate, 0, 0,
                                 "relay_server.tls_certificate and tls_key: " + tls.error().detail, {}});
  return loaded;
}

ReloadPlan plan_reload(const config::Config& before, const config::Loaded& read) {
  ReloadPlan plan;
  if (!read.ok()) {
    plan.config = before;
    for (const config::Problem& problem : read.problems) plan.outcome.errors.push_back(problem.to_string());
    plan.event = {false, summary(plan.outcome.errors)};
    return plan;
  }
  plan.outcome.success = true;
  plan.outcome.needs_restart = config::differences(before, read.config).restart;
  if (would_open_a_listener(before, read.config)) plan.outcome.needs_restart.emplace_back("http.metrics_token_file");
  plan.config = keep_what_needs_a_restart(before, read.config);
  plan.event = {true, plan.outcome.needs_restart.empty()
                          ? std::string{}
                          : "restart to change " + joined(plan.outcome.needs_restart, ", ")};
  return plan;
}

bool ReloadRequests::add(Done done) {
  {
    const std::scoped_lock lock{mutex_};
    if (waiting_.size() >= kMost) return false;
    waiting_.push_back(std::move(done));
  }
  bell_.ring();
  return true;
}

std::vector<ReloadRequests::Done> ReloadRequests::take() {
  const std::scoped_lock lock{mutex_};
  return std::exchange(waiting_, {});
}

}  // namespace pw::app
