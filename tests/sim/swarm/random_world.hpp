// RandomWorld: from a seed, a few daemons in a random internet under everything that can go wrong at once; then the
// faults end, and all must be well again.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "sim/inflict.hpp"
#include "sim/swarm/journal.hpp"
#include "sim/swarm/meeting_point.hpp"
#include "sim/swarm/topology.hpp"

namespace pw::sim {

struct RandomWorldOptions {
  std::size_t nodes = 8;
  Duration chaos{};           // how long things go wrong; 0: drawn, one to two minutes
  std::ostream* log = nullptr;
  bool log_packets = false;
  bool digest = false;
};

class RandomWorld {
 public:
  RandomWorld(std::uint64_t seed, const RandomWorldOptions& options);

  /// Once. The first rule that was broken; empty when all is well.
  std::string run();
  /// Equal for equal runs, if a digest was asked for.
  std::uint64_t digest() const { return digest_ ? digest_->value() : 0; }

 private:
  Host& host(std::size_t i) { return world_.host(i); }
  const Host& host(std::size_t i) const { return world_.host(i); }
  std::size_t any() { return rng_.below(nodes_); }
  std::pair<std::size_t, std::size_t> two();
  void note(const std::string& text);

  // ---- who belongs
  void set_epoch(std::size_t i, std::uint64_t epoch);
  void draw_membership(std::size_t i, double density);

  // ---- what goes wrong
  void fault();
  std::optional<Faults::Plan> draw_fault();
  void act();
  bool usable(std::size_t i) const;
  std::string check_stops();
  void start_again();
  void heal();

  // ---- how it has to end
  struct View {
    bool held = false;
    bool listed = false;
    bool dials = false;
    bool reaches = false;
    bool denied = false;
  };
  View view(std::size_t a, std::size_t b) const;
  bool accepts(std::size_t acceptor, std::size_t dialler) const;
  std::string judge_pair(std::size_t a, std::size_t b) const;
  std::string at_rest() const;
  Duration left_alone() const;
  bool comes_to_rest(Duration limit);
  std::string check_answers() const;
  std::string measure_at_rest();

  World world_;
  Rng rng_;
  Topology topology_;
  std::size_t nodes_;  // whom things happen to; a meeting point comes after them
  MeetingPoint meeting_point_;
  Faults faults_;
  Journal* journal_ = nullptr;
  Digest* digest_ = nullptr;
  Duration chaos_;
  bool secret_ = false;
  std::vector<std::optional<Instant>> stop_by_;   // a graceful end is under way
  std::vector<std::optional<Instant>> start_at_;  // a daemon that was stopped comes back
};

}  // namespace pw::sim
