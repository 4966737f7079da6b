// Overlay: lays one source after the other over a Config, key by key, and remembers where each value came from.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/keys.hpp"
#include "config/problem.hpp"

namespace pw::config {

/// Where the parts of a [[peer]] stand.
struct PeerPlace {
  Place block;
  Place id;
  Place name;
};

class Overlay {
 public:
  Overlay(Config& config, Problems& problems) : config_{config}, problems_{problems} {}

  void apply_file(const Raw::Table& document);
  void apply_environment(const std::map<std::string, std::string>& environment);
  void apply_overrides(const std::vector<std::pair<std::string, std::string>>& overrides);

  /// The value in force as it was written; null: the default is.
  const Raw* written(std::string_view key) const;
  /// Someone wrote this key wrongly: what is said about its value now would mislead.
  bool failed(std::string_view key) const { return failed_.contains(key); }
  /// One for each of config.peers, in order.
  const std::vector<PeerPlace>& peer_places() const { return peer_places_; }
  /// Likewise for config.bootstraps and config.relays.
  const std::vector<PeerPlace>& bootstrap_places() const { return bootstrap_places_; }
  const std::vector<PeerPlace>& relay_places() const { return relay_places_; }

 private:
  void set(const Key<Config>& key, Raw raw);
  void section(const Member& member);
  /// Blocks of one kind: [[peer]], [[bootstrap]], [[relay]].
  template <class Target>
  struct Blocks {
    std::string_view kind;
    const std::vector<Key<Target>>& keys;
    std::size_t most;
    std::vector<Target>& out;
    std::vector<PeerPlace>& places;
  };
  template <class Target>
  void blocks(const Member& member, const Blocks<Target>& of);
  template <class Target>
  void block(const Raw& raw, const Blocks<Target>& of);
  void unknown_key(const Place& place, std::string_view section, std::string_view leaf);
  void unknown_section(const Member& member);

  Config& config_;
  Problems& problems_;
  std::map<std::string, Raw, std::less<>> written_;
  std::set<std::string, std::less<>> failed_;
  std::set<std::string, std::less<>> too_many_;  // kinds of blocks
  std::vector<PeerPlace> peer_places_;
  std::vector<PeerPlace> bootstrap_places_;
  std::vector<PeerPlace> relay_places_;
};

}  // namespace pw::config
