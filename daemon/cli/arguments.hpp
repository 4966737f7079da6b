// The command line of peerwatch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"

namespace pw::cli {

// Exit codes: an interface (docs/http-api.md).
inline constexpr int kGood = 0;
inline constexpr int kBadNews = 1;      // the answer is bad news
inline constexpr int kWrongUse = 2;     // of the command, or its configuration
inline constexpr int kUnreachable = 3;  // the daemon can't be reached

inline constexpr const char* kDefaultSocket = "/run/peerwatch/control.sock";

enum class Action : std::uint8_t { status, peers, ping, bandwidth, events, connect, disconnect, reload, export_peer, netcheck };

/// What the environment says; an option goes before it.
struct Environment {
  std::string url;     // PEERWATCH_URL
  std::string socket;  // PEERWATCH_SOCKET
};

struct Arguments {
  Action action = Action::status;
  bool json = false;
  std::string url;  // empty: the socket
  std::string socket = kDefaultSocket;
  std::string token_file;

  std::string peer;  // id, name, or a beginning of an id; empty for "peers" means all
  bool watch = false;
  Duration interval = 2s;  // of --watch
  bool follow = false;
  std::optional<Duration> since;
  unsigned count = 5;                // pings; 0: until interrupted
  Duration pause = 1s;               // between pings
  std::uint32_t size = 0;            // of a ping
  bool until_direct = false;         // pings, instead of `count`
  Duration patience = 30s;           // with --until-direct
  std::optional<Duration> duration;  // of a bandwidth measurement, each way
  std::optional<std::uint64_t> bytes;
  std::vector<std::string> addresses;
};

/// Nothing to do but to say something: --help and --version (code 0), wrong use (code 2).
struct Say {
  int code = kGood;
  std::string text;
};

std::variant<Arguments, Say> parse_arguments(const std::vector<std::string>& words, const Environment& environment,
                                             const std::string& version);

}  // namespace pw::cli
