#include <map>

#include "observe/node_metrics.hpp"
#include "observe/registry_families.hpp"

namespace pw::observe {
namespace {

/// The server has some thirty routes; a caller's mistake must not make series without end.
constexpr std::size_t kMaxRoutes = 64;
constexpr unsigned kLeastCode = 100;
constexpr unsigned kPastCodes = 600;  // RFC 9110 section 15

const Bounds kRequestSeconds = {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10};

}  // namespace

struct HttpMetrics::Impl {
  struct Route {
    std::string name;
    prometheus::Histogram* duration = nullptr;
    std::map<unsigned, prometheus::Counter*> codes;
  };

  explicit Impl(prometheus::Registry& registry)
      : requests{counters(registry, "peerwatch_http_requests_total", "HTTP requests that were answered.")},
        durations{histograms(registry, "peerwatch_http_request_duration_seconds",
                             "From the end of a request's head until its answer was ready.")},
        rejections{counters(registry, "peerwatch_http_rejected_total", "Requests and connections turned away."),
                   "reason"} {}

  Route& route(std::string_view name) {
    auto found = routes.find(name);
    if (found != routes.end()) return found->second;
    if (routes.size() >= kMaxRoutes) name = "other";
    const auto [made, fresh] = routes.try_emplace(std::string{name});
    if (fresh) {
      made->second.name = name;
      made->second.duration = &durations.Add({{"route", made->second.name}}, kRequestSeconds);
    }
    return made->second;
  }

  prometheus::Counter& code(Route& at, unsigned code) {
    prometheus::Counter*& found = at.codes[code];
    if (found == nullptr) found = &requests.Add({{"route", at.name}, {"code", std::to_string(code)}});
    return *found;
  }

  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Histogram>& durations;
  CounterPer<HttpReject> rejections;
  std::map<std::string, Route, std::less<>> routes;
};

HttpMetrics::HttpMetrics(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
HttpMetrics::~HttpMetrics() = default;

void HttpMetrics::request(std::string_view route, unsigned code, Duration took) {
  Impl::Route& at = impl_->route(route);
  impl_->code(at, code >= kLeastCode && code < kPastCodes ? code : 0).Increment();
  at.duration->Observe(to_seconds(took));
}

void HttpMetrics::rejected(HttpReject reason) { impl_->rejections[reason].Increment(); }

std::unique_ptr<HttpMetrics> make_http_metrics(prometheus::Registry& registry) {
  return std::make_unique<HttpMetrics>(std::make_unique<HttpMetrics::Impl>(registry));
}

}  // namespace pw::observe
