#include "http/application.hpp"

#include "http/body.hpp"
#include "http/documents.hpp"
#include "http/events_query.hpp"
#include "http/gzip.hpp"
#include "http/lookup.hpp"
#include "http/negotiate.hpp"
#include "http/service_documents.hpp"

namespace pw::http {
namespace {

using observe::HttpReject;

Reply json_reply(std::string body) {
  Reply reply;
  reply.body = std::move(body);
  return reply;
}

/// Compresses what is worth it, and tells caches what the answer depended on.
Reply finished(Reply reply, const Request& request) {
  if (reply.is_stream || reply.body.size() < kMinGzip) return reply;
  reply.headers.emplace_back("Vary", "Accept-Encoding");
  if (!accepts_gzip(request.accept_encoding)) return reply;
  if (std::string zipped = gzip(reply.body); !zipped.empty()) {
    reply.body = std::move(zipped);
    reply.headers.emplace_back("Content-Encoding", "gzip");
  }
  return reply;
}

}  // namespace

Application::Application(Policy policy, Backend& backend, const observe::RecentEvents& recent,
                         observe::HttpMetrics& metrics)
    : policy_{std::move(policy)},
      backend_{backend},
      recent_{recent},
      metrics_{metrics},
      requests_{policy_.rate_limit},
      scrapes_{kMetricsRate} {}

void Application::configure(Policy policy) {
  if (policy.rate_limit != policy_.rate_limit) requests_ = RateLimit{policy.rate_limit};
  policy_ = std::move(policy);
}

Duration Application::patience(Route route) {
  return route == Route::bandwidth ? 2 * kMaxBandwidthDuration + kBandwidthSlack : kPatience;
}

Reply Application::reject(HttpReject reason, Reply reply) {
  metrics_.rejected(reason);
  return reply;
}

Admission Application::admit(const Request& head, Instant now) {
  Admission admission;
  admission.refusal = refuse(head, admission, now);
  return admission;
}

std::optional<Reply> Application::refuse(const Request& head, Admission& admission, Instant now) {
  auto target = parse_target(head.target);
  if (!target) {
    const bool too_long = head.target.size() > kMaxTarget;
    return reject(too_long ? HttpReject::too_large : HttpReject::malformed,
                  problem(too_long ? 414 : 400, target.error().detail));
  }
  admission.target = std::move(*target);
  const std::string& host = admission.target.authority.empty() ? head.host : admission.target.authority;
  if (!head.has_host && !head.http_1_0)
    return reject(HttpReject::malformed, problem(400, "HTTP/1.1 needs a Host field"));
  if (!head.client.control && (head.has_host || !host.empty()) && !host_allowed(host, policy_.host_names))
    return reject(
        HttpReject::forbidden_host,
        problem(403,
                "this server does not go by the name in Host: use its IP address, localhost, its own name, or one that "
                "network.advertise gives it"));

  auto found = match(admission.target);
  if (found) {
    admission.info = found->info;
    admission.label = found->info->path;
    admission.peer = std::move(found->peer);
  }
  RateLimit& limit = found && found->info->route == Route::metrics ? scrapes_ : requests_;
  if (!head.client.control && !limit.take(head.client.address, now))
    return reject(HttpReject::rate_limited, problem(429, "too many requests from this address"));
  if (!found) return problem(404, "there is no such route: GET / lists them");

  const Method method = found->info->method;
  admission.head_only = head.method == "HEAD";
  const bool fits = method == Method::post ? head.method == "POST" : head.method == "GET" || admission.head_only;
  if (!fits) {
    Reply reply = problem(405, "this route takes " + std::string{allow_of(method)} + " only");
    reply.headers.emplace_back("Allow", allow_of(method));
    return reply;
  }
  if (method == Method::post && !same_origin(head.origin, head.fetch_site, host))
    return reject(HttpReject::forbidden_origin, problem(403, "a page of another origin may not do this"));
  if (auto refused = authorize(head, method, policy_.tokens))
    return reject(HttpReject::unauthorized, std::move(*refused));
  if (method == Method::post && (head.has_body || !head.content_type.empty()) && !is_json(head.content_type))
    return reject(HttpReject::unsupported_media_type, problem(415, "the body must be application/json"));
  return std::nullopt;
}

void Application::answer(const Admission& admission, const Request& request, WallTime now, Done outer) {
  const Done done = [outer, request](Reply reply) { outer(finished(std::move(reply), request)); };
  switch (admission.info->route) {
    case Route::index: {
      Reply page = json_reply(index_page());
      page.content_type = "text/html; charset=utf-8";
      page.headers.emplace_back("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
      return done(std::move(page));
    }
    case Route::metrics:
      return serve_metrics(request, std::move(outer));
    case Route::healthy:
      return done(backend_.healthy() ? json_reply("{\"healthy\":true}\n")
                                     : problem(503, "the network thread makes no progress"));
    case Route::ready:
      return done(ready_reply(backend_.readiness()));
    case Route::reload:
      if (auto nothing = parse_nothing(request.body); !nothing) return done(problem(400, nothing.error().detail));
      return backend_.reload([done](const ReloadOutcome& outcome) { done(reload_reply(outcome)); });
    case Route::status:
      return with_view(kAnswerAge, done, [this, done](const View& view) {
        done(json_reply(status_document(view, backend_.info(), backend_.readiness(), backend_.healthy())));
      });
    case Route::peers:
      return with_view(kAnswerAge, done, [done](const View& view) { done(json_reply(peers_document(view))); });
    case Route::nat:
      return with_view(kAnswerAge, done, [done](const View& view) { done(json_reply(nat_document(view))); });
    case Route::peer:
      return with_view(kAnswerAge, done, [done, wanted = admission.peer](const View& view) {
        const Lookup lookup = find_peer(*view.node, wanted);
        done(lookup.peer ? json_reply(peer_document(view, *lookup.peer)) : problem(lookup.status, lookup.detail));
      });
    case Route::bootstraps:
      return with_view(kAnswerAge, done, [done](const View& view) { done(json_reply(bootstraps_document(view))); });
    case Route::relays:
      return with_view(kAnswerAge, done, [done](const View& view) { done(json_reply(relays_document(view))); });
    case Route::ping:
    case Route::bandwidth:
    case Route::connect:
    case Route::disconnect:
      return serve_command(admission, request, done);
    case Route::events:
    case Route::event_stream:
      return serve_events(admission, request, now, done);
    case Route::config:
      return done(json_reply(backend_.config_json()));
    case Route::openapi:
      return done(json_reply(openapi_document()));
  }
}

void Application::with_view(Duration max_age, const Done& done, std::function<void(const View&)> use) {
  backend_.view(max_age, [done, use = std::move(use)](const View& view) {
    if (view.node && view.metrics) return use(view);
    done(problem(503, "the daemon has no picture of itself now: it is stopping, or its network thread is overloaded"));
  });
}

void Application::serve_metrics(const Request& request, const Done& done) {
  const bool open = wants_openmetrics(request.accept);
  const bool zipped = accepts_gzip(request.accept_encoding);
  with_view(kScrapeAge, done, [this, done, open, zipped](const View& view) {
    Reply reply;
    reply.content_type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                              : "text/plain; version=0.0.4; charset=utf-8";
    reply.headers.emplace_back("Vary", "Accept, Accept-Encoding");
    if (zipped) reply.body = rendered_gzip(view, open);
    if (reply.body.empty())
      reply.body = rendered(view, open);
    else
      reply.headers.emplace_back("Content-Encoding", "gzip");
    done(std::move(reply));
  });
}

const std::string& Application::rendered(const View& view, bool openmetrics) {
  if (rendered_of_ != view.metrics) {
    rendered_ = {};
    rendered_of_ = view.metrics;
  }
  std::string& plain = rendered_[openmetrics ? 1 : 0][0];
  if (plain.empty())
    plain = render(*view.metrics, openmetrics ? observe::Exposition::openmetrics : observe::Exposition::text);
  return plain;
}

const std::string& Application::rendered_gzip(const View& view, bool openmetrics) {
  const std::string& plain = rendered(view, openmetrics);
  std::string& packed = rendered_[openmetrics ? 1 : 0][1];
  if (packed.empty()) packed = gzip(plain);
  return packed;
}

void Application::serve_events(const Admission& admission, const Request& request, WallTime now, const Done& done) {
  auto query = parse_events_query(admission.target);
  if (!query) return done(problem(400, query.error().detail));
  const bool live = admission.info->route == Route::event_stream;
  const auto finish = [this, done, query = *query, live, now,
                       last = request.last_event_id](const std::optional<PeerId>& peer) {
    if (!live) return done(json_reply(events_document(recent_, query, peer, now)));
    Reply reply;
    reply.content_type = "text/event-stream";
    reply.is_stream = true;
    reply.stream = stream_start(recent_, query, peer, last, now);
    done(std::move(reply));
  };
  if (query->peer.empty()) return finish(std::nullopt);
  with_view(kAnswerAge, done, [done, finish, wanted = query->peer](const View& view) {
    // A full id is taken even if nobody has it now: its events may outlive the peer.
    const Lookup lookup = find_peer(*view.node, wanted);
    lookup.id ? finish(lookup.id) : done(problem(lookup.status, lookup.detail));
  });
}

Result<event::Command> Application::command_of(Route route, const PeerId& peer, const std::string& body) const {
  if (route == Route::ping)
    return parse_ping(body).map([&](const PingBody& b) { return event::Command{event::Ping{peer, b.size}}; });
  if (route == Route::bandwidth)
    return parse_bandwidth(body).map([&](const BandwidthBody& b) {
      return event::Command{event::MeasureBandwidth{peer, b.bytes, b.duration}};
    });
  if (route == Route::connect)
    return parse_connect(body).map([&](const ConnectBody& b) {
      return event::Command{event::Connect{peer, b.addresses}};
    });
  return parse_nothing(body).map([&] { return event::Command{event::Disconnect{peer}}; });
}

void Application::serve_command(const Admission& admission, const Request& request, const Done& done) {
  // A broken body is told before anything is looked up.
  const Route route = admission.info->route;
  const auto tried = command_of(route, PeerId{}, request.body);
  if (!tried) return done(problem(400, tried.error().detail));
  const auto* connect = std::get_if<event::Connect>(&*tried);
  const bool may_be_new = connect != nullptr && !connect->addresses.empty();
  with_view(kAnswerAge, done,
            [this, done, route, may_be_new, body = request.body, wanted = admission.peer](const View& view) {
              const Lookup lookup = find_peer(*view.node, wanted);
              if (!lookup.peer && !(may_be_new && lookup.id)) return done(problem(lookup.status, lookup.detail));
              auto command = command_of(route, *lookup.id, body);
              backend_.command(std::move(*command),
                               [done, node = view.node, id = *lookup.id, peer = lookup.peer](
                                   const event::Answer& answer) { done(command_reply(peer, id, answer)); });
            });
}

}  // namespace pw::http
