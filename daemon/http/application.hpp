// What the server answers, without the sockets: admission of a request by its head alone, so that nobody unwelcome
// makes us read a body, then the answer. One thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/auth.hpp"
#include "http/backend.hpp"
#include "http/message.hpp"
#include "http/rate_limit.hpp"
#include "observe/metrics.hpp"
#include "observe/recent.hpp"

namespace pw::http {

struct Policy {
  Tokens tokens;
  std::vector<std::string> host_names;  // besides localhost and IP literals: what this machine is called
  double rate_limit = 50;               // requests a second and client; none over the control socket
};

struct Admission {
  std::string_view label = kNoRoute;  // for metrics
  const RouteInfo* info = nullptr;
  std::string peer;  // what stood for {id}
  Target target;
  bool head_only = false;        // HEAD
  std::optional<Reply> refusal;  // then nothing else is to be done
};

using Done = std::function<void(Reply)>;

class Application {
 public:
  /// A scrape every 5 s from each of ten servers behind one address, with room for people.
  static constexpr double kMetricsRate = 10;
  /// The longest answer is 2 × kMaxBandwidthDuration and what a dying path adds to it.
  static constexpr Duration kPatience = 10s;
  static constexpr Duration kBandwidthSlack = 15s;
  /// Scrapers that come together share a picture; people see what is now. Either bounds how often one is taken.
  static constexpr Duration kScrapeAge = 1s;
  static constexpr Duration kAnswerAge = 100ms;

  /// The references outlive this.
  Application(Policy policy, Backend& backend, const observe::RecentEvents& recent, observe::HttpMetrics& metrics);

  /// Takes a reload. What is under way keeps the old policy.
  void configure(Policy policy);

  Admission admit(const Request& head, Instant now);
  /// For an admission without refusal. `done` is called once, possibly before this returns; never, if the backend never
  /// answers: the caller waits no longer than patience().
  void answer(const Admission& admission, const Request& request, WallTime now, Done done);
  static Duration patience(Route route);

 private:
  std::optional<Reply> refuse(const Request& head, Admission& admission, Instant now);
  Reply reject(observe::HttpReject reason, Reply reply);
  /// Calls `use` with a view that has a snapshot, or answers 503.
  void with_view(Duration max_age, const Done& done, std::function<void(const View&)> use);
  void serve_metrics(const Request& request, const Done& done);
  void serve_events(const Admission& admission, const Request& request, WallTime now, const Done& done);
  void serve_command(const Admission& admission, const Request& request, const Done& done);
  Result<event::Command> command_of(Route route, const PeerId& peer, const std::string& body) const;
  const std::string& rendered(const View& view, bool openmetrics);
  /// Empty if compression failed.
  const std::string& rendered_gzip(const View& view, bool openmetrics);

  Policy policy_;
  Backend& backend_;
  const observe::RecentEvents& recent_;
  observe::HttpMetrics& metrics_;
  RateLimit requests_;
  RateLimit scrapes_;
  /// Scrapers that come within the same second get the same bytes. Index: openmetrics, gzip.
  std::shared_ptr<const observe::MetricsSnapshot> rendered_of_;
  std::array<std::array<std::string, 2>, 2> rendered_;
};

/// GET /: a page with the routes.
std::string index_page();
/// GET /api/v1/openapi.json.
const std::string& openapi_document();

}  // namespace pw::http
