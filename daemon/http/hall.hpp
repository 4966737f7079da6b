// What the connections of one server share: the application, the clock, and the counts that bound them together.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "http/application.hpp"
#include "http/backend.hpp"
#include "http/deadlines.hpp"
#include "http/rate_limit.hpp"
#include "observe/metrics.hpp"
#include "observe/recent.hpp"

namespace pw::http {

// Connections. A Prometheus pair, a dashboard and a few people need ten.
inline constexpr std::size_t kMaxConnections = 256;  // over TCP: 256 × (kMaxHeader + kMaxBody) = 20 MiB at the worst
inline constexpr std::size_t kMaxConnectionsPerClient = 64;  // so that one client can't lock the others out
inline constexpr std::size_t kMaxControlConnections =
    64;                                         // a budget of its own: a flood over TCP leaves control usable
inline constexpr std::size_t kMaxStreams = 32;  // live streams, of both kinds together
inline constexpr std::size_t kMaxOutgoing = 64UL
                                            << 20;  // bytes of all replies being written: slow readers of large ones

inline constexpr std::size_t kMaxHeader = 16 * 1024;  // browsers with many cookies for localhost send 8 KiB

class Session {
 public:
  virtual ~Session() = default;
  /// Ends idle connections and streams now, others after the reply under way.
  virtual void finish() = 0;
};

struct Hall {
  Hall(Policy policy, Backend& backend_, const observe::RecentEvents& recent_, observe::HttpMetrics& metrics_)
      : application{std::move(policy), backend_, recent_, metrics_},
        backend{backend_},
        recent{recent_},
        metrics{metrics_} {}

  Application application;
  Backend& backend;
  const observe::RecentEvents& recent;
  observe::HttpMetrics& metrics;
  Deadlines deadlines;

  std::unordered_map<Session*, std::weak_ptr<Session>> sessions;
  std::unordered_map<IpAddress, std::size_t> per_client;  // over TCP, by client_prefix
  std::size_t tcp = 0;
  std::size_t control = 0;
  std::size_t streams = 0;
  std::size_t outgoing = 0;  // bytes

  /// Whether one more fits; then it counts until leave().
  bool enter(const Client& client);
  void leave(const Client& client);
};

}  // namespace pw::http
