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

 private:
  void set(const Key<Config>& key, Raw raw);
  void section(const Member& member);
  void peers(const Member& member);
  void peer(const Raw& raw);
  void unknown_key(const Place& place, std::string_view section, std::string_view leaf);
  void unknown_section(const Member& member);

  Config& config_;
  Problems& problems_;
  std::map<std::string, Raw, std::less<>> written_;
  std::set<std::string, std::less<>> failed_;
  bool too_many_peers_ = false;
  std::vector<PeerPlace> peer_places_;
};

}  // namespace pw::config
