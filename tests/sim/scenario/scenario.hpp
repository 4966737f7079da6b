// Scenario: a file of tests/scenarios as values: a network, what befalls it, and what must be seen. What everything means
// stands in docs/scenarios.md. A scenario that load() gave is consistent: every name is known, every table has what it
// needs, so that whoever carries it out need not ask.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.hpp"
#include "sim/net/router.hpp"

namespace pw::sim::scenario {

struct Segment {
  std::string name;
  net::Link link;
  unsigned hops = 0;
};

struct Attachment {
  std::string segment;
  std::vector<IpAddress> addresses;
  net::Link access;  // both ways
};

struct Router {
  std::string name;
  Attachment outer;
  Attachment inner;
  std::vector<net::Prefix> behind;
  net::RouterOptions options;
};

struct Host {
  std::string name;
  std::vector<Attachment> attach;                 // at least one
  std::optional<std::vector<std::string>> peers;  // none: no daemon
  std::vector<std::string> hidden;                // of peers
  bool start = true;
  bool serves_stun = false;
};

enum class Act : std::uint8_t { kill, start, stop, freeze, unplug, plug, link, reboot, addresses };
constexpr auto names(Act) {
  using namespace std::string_view_literals;
  return std::array{"kill"sv, "start"sv, "stop"sv,   "freeze"sv,   "unplug"sv,
                    "plug"sv, "link"sv,  "reboot"sv, "addresses"sv};
}

struct Do {
  Duration at{};
  Act what = Act::kill;
  std::string on;                 // the host or router; of a link where it begins
  std::string to;                 // link
  net::Link set;                  // link: whole
  bool both = true;               // link
  Duration lasts{};               // freeze, reboot
  std::vector<IpAddress> addresses;
};

enum class Seen : std::uint8_t { connected, disconnected, rtt, loss, nat };
constexpr auto names(Seen) {
  using namespace std::string_view_literals;
  return std::array{"connected"sv, "disconnected"sv, "rtt"sv, "loss"sv, "nat"sv};
}

enum class Translation : std::uint8_t { translated, none, udp_blocked };
constexpr auto names(Translation) {
  using namespace std::string_view_literals;
  return std::array{"translated"sv, "none"sv, "udp-blocked"sv};
}

struct Expect {
  Seen what = Seen::connected;
  std::string a;                   // of a pair the first; nat: who is behind it
  std::string b;                   // of a pair the other; nat: the server
  std::optional<Duration> at;      // exactly one of at and by
  std::optional<Duration> by;
  Duration after{};                // with by
  Duration rtt{};
  double loss = 0;
  double within = 0;               // rtt: a share; loss: absolute
  Translation nat = Translation::translated;
  std::optional<net::Dependence> mapping;    // if translated: at least one of them
  std::optional<net::Dependence> filtering;
};

struct Scenario {
  std::string name;  // of the file, without folder and ending
  std::string about;
  std::vector<Segment> segments;
  std::vector<Router> routers;
  std::vector<Host> hosts;
  std::vector<Do> dos;        // by time, those of one instant in the order of the file
  std::vector<Expect> expects;  // in the order of the file

  const Segment* segment(std::string_view name) const;
  const Router* router(std::string_view name) const;
  const Host* host(std::string_view name) const;
};

/// The first segment of `a` that `b` is on too, or null. Hosts and routers alike.
const Segment* shared_segment(const Scenario& scenario, std::string_view a, std::string_view b);

/// A day: no scenario needs more, and a slip of the pen must not run for a year.
inline constexpr Duration kLongest = 24h;

struct Loaded {
  Scenario scenario;  // to be used only if there are no problems
  std::vector<config::Problem> problems;
  bool ok() const { return problems.empty(); }
};

/// All that is wrong with it at once, each with the file, the place and the table. Whether the tables fit together is
/// looked at only when each can be read.
Loaded load(const std::string& file, std::string_view text);

}  // namespace pw::sim::scenario
