// What the HTTP server needs of the daemon. Implemented by app; every call and every callback is on the HTTP thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "event/command.hpp"
#include "event/snapshot.hpp"
#include "observe/metrics.hpp"

namespace pw::http {

/// One consistent picture.
struct View {
  event::SnapshotPtr node;
  std::shared_ptr<const observe::MetricsSnapshot> metrics;
  WallTime wall{};  // the wall-clock time of node->at: converts every Instant of the snapshot
};

/// Readiness for /-/ready; reasons are empty exactly when ready.
struct Readiness {
  std::vector<std::string> reasons;
};

struct ReloadOutcome {
  bool success = false;
  std::vector<std::string> errors;         // FILE:LINE:COLUMN: message
  std::vector<std::string> needs_restart;  // keys that changed and take effect at the next start only
  std::string not_tried{};                 // why nothing was done, where the configuration is not to blame
};

/// Who this node is, beyond what the core knows. Read anew for every answer, so a reload may change it.
struct NodeInfo {
  std::string name;
  std::string mesh;
  std::string version;  // of the program, as `peerwatchd --version` prints it
  std::vector<HostPort>
      advertise;  // where others reach it: network.advertise, else listening addresses that are no wildcards
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual NodeInfo info() const = 0;
  /// A picture that is at most `max_age` old, and younger than the answers to commands and reloads that were given
  /// before; an empty one when there is none to be had now.
  virtual void view(Duration max_age, std::function<void(View)> done) = 0;
  /// Bounded: answers CommandError::busy at once when too many are under way.
  virtual void command(event::Command command, std::function<void(event::Answer)> done) = 0;
  virtual void reload(std::function<void(ReloadOutcome)> done) = 0;
  /// The network thread made progress within 5 s.
  virtual bool healthy() const = 0;
  virtual Readiness readiness() const = 0;
  /// JSON text: the effective configuration with secrets redacted.
  virtual std::string config_json() const = 0;
  /// So many events never reached the reader of a live stream, which was too slow: counts as QueueDropped{stream}.
  virtual void stream_lost(std::uint64_t events) = 0;
};

}  // namespace pw::http
