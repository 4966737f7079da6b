// Discovery: peers that other sources than the configuration name: a file, which is watched, and DNS. On the supervisor's
// thread; DNS, which blocks, is asked on one of its own.
//
// What a source has told holds until it tells something else: a bad file, or a name server that is silent, takes nobody
// away, and is told of once. Of a peer that several sources name the first counts: configuration, file, DNS. Who can make a
// name say something can't make anybody a peer: in a mesh without a secret DNS gives addresses to listed peers, and no more.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "config/config.hpp"
#include "event/event.hpp"
#include "io/file_watch.hpp"
#include "io/srv.hpp"
#include "peer/options.hpp"

namespace pw::app {

class Discovery {
 public:
  /// Between two look-ups, whatever the time to live says; failures wait from the shortest to the longest, twice as long
  /// each time.
  static constexpr Duration kShortest = 30s;
  static constexpr Duration kLongest = 1h;
  /// A directory that is not there is tried again.
  static constexpr Duration kWatchAgain = 30s;

  using Tell = std::function<void(event::Event)>;
  /// Blocks; called on a thread of its own.
  using Find = std::function<Result<io::FoundPeers>(const std::string& name)>;
  explicit Discovery(Tell tell, Find find = io::find_peers) : tell_{std::move(tell)}, find_{std::move(find)} {}

  /// At the start and at every reload: a file is read at once.
  void configure(Instant now, const config::Config::Discovery& settings);
  /// At least once a second, and whenever fd() is readable. True if the peers are others than before.
  bool tick(Instant now);
  /// None: -1, which poll(2) passes over.
  int fd() const { return watch_ ? watch_->fd() : -1; }
  /// DNS is being asked: a tick() to come takes the answer.
  bool asking() const { return query_ != nullptr; }
  /// Adds what was found to the peers of a configuration.
  void add_to(peer::Membership& membership) const;

 private:
  struct Query;
  bool read_file(Instant now);
  void watch(Instant now);
  bool ask_dns(Instant now);
  bool take(Instant now, const Result<io::FoundPeers>& found);
  void complain(event::DiscoveryMethod method, std::string& told, const std::string& detail);

  Tell tell_;
  Find find_;
  config::Config::Discovery settings_;
  std::optional<io::FileWatch> watch_;
  Instant watch_at_ = kNever;
  std::vector<config::Peer> of_file_;
  std::string told_of_file_;  // last: not twice in a row
  std::shared_ptr<Query> query_;  // under way
  Instant ask_at_ = kNever;
  Duration pause_ = kShortest;
  std::vector<io::FoundPeer> of_dns_;
  std::string told_of_dns_;
  bool changed_ = false;  // by a reload
};

}  // namespace pw::app
