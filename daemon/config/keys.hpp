// The table of keys: everything that can be configured, once. Parsing, suggestions, --print-config, JSON, --help and
// the check of docs/configuration.md come from it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/codec.hpp"
#include "config/config.hpp"

namespace pw::config {

enum class Effect : std::uint8_t { reload, restart };
constexpr auto names(Effect) { return std::array{"reload"sv, "restart"sv}; }

template <class Target>
struct Key {
  std::string name;   // "probe.rtt_interval"; of a [[peer]]: "peer.id"
  std::string type;   // "duration"
  std::string range;  // may be empty
  Effect effect;      // when a change takes effect
  std::string about;  // one line, without a full stop
  Shape shape;
  /// Sets the value, or adds problems and leaves it alone.
  std::function<bool(const Raw&, Target&, Problems&)> set;
  std::function<Plain(const Target&)> get;

  std::string_view section() const { return std::string_view{name}.substr(0, name.find('.')); }
  std::string_view leaf() const { return std::string_view{name}.substr(name.find('.') + 1); }
};

/// Ordered by section, as they are printed.
const std::vector<Key<Config>>& config_keys();
/// Of one [[peer]] block.
const std::vector<Key<Peer>>& peer_keys();

/// Of one [[bootstrap]] or [[relay]] block.
const std::vector<Key<Server>>& bootstrap_keys();
const std::vector<Key<Server>>& relay_keys();

/// Of each kind: every server is a connection that is kept.
inline constexpr std::size_t kMostServers = 16;
/// A limit of ours, with its reason: every peer costs a row in each table of the core.
inline constexpr std::size_t kMostPeers = 10000;

}  // namespace pw::config
