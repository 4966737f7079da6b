#include "cli/commands.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/netcheck.hpp"
#include "cli/ping_summary.hpp"
#include "cli/text.hpp"
#include "cli/views.hpp"

namespace pw::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration kPatience = 15s;           // the daemon gives up after 10
constexpr Duration kBandwidthPatience = 90s;  // 30 s each way, and what a dying path adds
constexpr Duration kReloadPatience = 60s;
constexpr Duration kReconnectPause = 1s;
constexpr unsigned kReconnects = 30;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~')
      out += c;
    else
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

/// A member that ought to be a string or a boolean; what is neither counts as absent.
std::string text_in(const Json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found != json.end() && found->is_string() ? clean(found->get_ref<const std::string&>()) : std::string{};
}
bool true_in(const Json& json, const char* key) { return json.is_object() && json.contains(key) && json[key] == true; }

/// One run of one command.
class Runner {
 public:
  Runner(const Arguments& arguments, Daemon& daemon, const Terminal& terminal)
      : arguments_{arguments}, daemon_{daemon}, terminal_{terminal} {}

  int status() {
    for (;;) {
      const int code = status_once();
      if (!arguments_.watch) return code;
      if (code == kWrongUse) return code;
      if (!terminal_.out.flush()) return kBadNews;
      if (!terminal_.sleep(arguments_.interval)) return code;
    }
  }

  int peers() {
    const bool one = !arguments_.peer.empty();
    const auto answer = get(one ? peer_target("") : "/api/v1/peers");
    if (!answer) return code_;
    terminal_.out << (arguments_.json ? answer->dump(2) + "\n"
                      : one           ? peer_view(*answer, terminal_.colours)
                                      : peers_view(*answer, terminal_.colours));
    return kGood;
  }

  int ping() {
    if (arguments_.until_direct) return ping_until_direct();
    PingSummary summary;
    for (unsigned i = 1; arguments_.count == 0 || i <= arguments_.count; ++i) {
      if (!one_ping(i, summary)) return code_;
      if (!terminal_.out.flush()) return kBadNews;
      if (i == arguments_.count || !terminal_.sleep(arguments_.pause)) break;
    }
    terminal_.out << (arguments_.json ? summary.to_json() : summary.to_text(clean(arguments_.peer)));
    return summary.answered() == 0 ? kBadNews : kGood;
  }

  /// A path is looked for as long as the session has none that is direct, whoever pings: this shows it, and waits for it.
  int ping_until_direct() {
    const auto give_up = std::chrono::steady_clock::now() + arguments_.patience;
    const auto most = std::max<Duration::rep>(1, arguments_.patience / arguments_.pause);
    PingSummary summary;
    for (unsigned i = 1; i <= most; ++i) {
      if (!one_ping(i, summary)) return code_;
      if (!terminal_.out.flush()) return kBadNews;
      if (summary.path().starts_with("direct_")) return say_direct(summary.path(), i, {});
      if (i == most || std::chrono::steady_clock::now() >= give_up || !terminal_.sleep(arguments_.pause)) break;
    }
    return say_direct({}, 0, why_not_direct());
  }

  int bandwidth() {
    Json body = Json::object();
    if (arguments_.bytes) body["bytes"] = *arguments_.bytes;
    if (arguments_.duration) body["duration_ms"] = std::llround(to_milliseconds(*arguments_.duration));
    const auto answer = post(peer_target("/bandwidth"), body.dump(), kBandwidthPatience);
    if (!answer) return code_;
    terminal_.out << (arguments_.json ? answer->dump(2) + "\n" : bandwidth_view(*answer));
    return kGood;
  }

  int netcheck() {
    const auto relays = get("/api/v1/relays");
    if (!relays) return code_;
    auto answer = get("/api/v1/nat");
    if (!answer) return code_;
    (*answer)["relays"] = relays->value("relays", Json::array());
    terminal_.out << (arguments_.json ? answer->dump(2) + "\n" : netcheck_view(*answer, terminal_.colours));
    return udp_blocked(*answer) ? kBadNews : kGood;
  }

  int events() { return arguments_.follow ? follow_events() : recent_events(); }

  int connect() {
    Json body = Json::object();
    if (!arguments_.addresses.empty()) body["addresses"] = arguments_.addresses;
    return simple(peer_target("/connect"), body.dump(), "dialling ");
  }
  int disconnect() { return simple(peer_target("/disconnect"), "{}", "disconnected "); }

  int reload() {
    const auto answer = post("/-/reload", "{}", kReloadPatience);
    if (!answer) return code_;
    if (arguments_.json) {
      terminal_.out << answer->dump(2) << "\n";
      return kGood;
    }
    terminal_.out << "reloaded\n";
    for (const Json& key : answer->value("needs_restart", Json::array()))
      if (key.is_string())
        terminal_.out << "takes effect at the next start: " << clean(key.get_ref<const std::string&>()) << "\n";
    return kGood;
  }

  int export_peer() {
    const auto answer = get("/api/v1/status");
    if (!answer) return code_;
    if (arguments_.json)
      terminal_.out << Json{{"id", text_in(*answer, "id")},
                            {"name", text_in(*answer, "name")},
                            {"addresses", answer->value("advertise", Json::array())}}
                           .dump(2)
                    << "\n";
    else
      terminal_.out << peer_block(*answer);
    return kGood;
  }

 private:
  int say_direct(const std::string& path, unsigned echoes, const std::string& why_not) {
    const bool direct = why_not.empty();
    if (arguments_.json)
      terminal_.out << Json{{"direct", direct}, {"reason", direct ? Json{} : Json(why_not)}}.dump() << "\n";
    else if (direct)
      terminal_.out << "direct: " << path << (echoes == 1 ? ", from the first echo on\n" : ", from echo " + std::to_string(echoes) + " on\n");
    else
      terminal_.out << "not direct: " << why_not << "\n";
    return direct ? kGood : kBadNews;
  }

  /// As the last attempt ended, by the daemon's own words.
  std::string why_not_direct() {
    const auto answer = get("/api/v1/events?since=24h&limit=1&type=traversal_ended&peer=" + escaped(arguments_.peer));
    const Json events = answer ? answer->value("events", Json::array()) : Json::array();
    const std::string last = events.is_array() && !events.empty() ? text_in(events.back(), "message") : std::string{};
    return last.empty() ? "no attempt at a direct path has ended yet" : last;
  }

  std::string peer_target(std::string_view action) const {
    return "/api/v1/peers/" + escaped(arguments_.peer) + std::string{action};
  }

  std::optional<Json> get(const std::string& target) { return understood(daemon_.ask("GET", target, "", kPatience)); }
  std::optional<Json> post(const std::string& target, const std::string& body, Duration patience) {
    return understood(daemon_.ask("POST", target, body, patience));
  }

  /// The answer as JSON, or nothing: then it was said what is wrong, and code_ is the exit code.
  std::optional<Json> understood(const Result<Response>& response) {
    if (!response) {
      terminal_.err << "peerwatch: " << clean(response.error().detail) << "\n";
      code_ = kUnreachable;
      return std::nullopt;
    }
    Json json = Json::parse(response->body, nullptr, false);
    if (response->status == 200 && json.is_object()) return json;
    code_ = say_problem(response->status, json);
    return std::nullopt;
  }

  int say_problem(unsigned status, const Json& json) {
    const bool described = json.is_object() && json.contains("detail") && json["detail"].is_string();
    terminal_.err << "peerwatch: "
                  << (described ? clean(json["detail"].get_ref<const std::string&>())
                                : "the daemon answered " + std::to_string(status))
                  << "\n";
    if (json.is_object())
      for (const Json& error : json.value("errors", Json::array()))
        if (error.is_string()) terminal_.err << "  " << clean(error.get_ref<const std::string&>()) << "\n";
    // 400, 401, 403, 415: asked wrongly or without the right to; 422: the configuration is wrong.
    return status == 400 || status == 401 || status == 403 || status == 415 || status == 422 ? kWrongUse : kBadNews;
  }

  int status_once() {
    const auto node = get("/api/v1/status");
    if (!node) return code_;
    const auto all = get("/api/v1/peers");
    if (!all) return code_;
    // Home, then what is new, then the rest of the old picture: no flicker.
    if (arguments_.watch && terminal_.interactive) terminal_.out << "\x1b[H\x1b[2J";
    if (arguments_.json)
      terminal_.out << Json{{"node", *node}, {"peers", all->value("peers", Json::array())}}.dump(arguments_.watch ? -1
                                                                                                                  : 2)
                    << "\n";
    else
      terminal_.out << status_view(*node, *all, terminal_.colours);
    return kGood;
  }

  /// False when going on makes no sense.
  bool one_ping(unsigned sequence, PingSummary& summary) {
    const auto response = daemon_.ask("POST", peer_target("/ping"), Json{{"size", arguments_.size}}.dump(), kPatience);
    if (!response) return understood(response).has_value();
    const Json json = Json::parse(response->body, nullptr, false);
    const bool good =
        response->status == 200 && json.is_object() && json.contains("rtt_ms") && json["rtt_ms"].is_number();
    const std::string code = text_in(json, "code");
    if (!good && code.empty()) {
      code_ = say_problem(response->status, json);
      return false;
    }
    if (good) summary.answer(json["rtt_ms"].get<double>(), text_in(json, "path"));
    if (!good) summary.lose();
    if (arguments_.json) {
      Json line = json;
      line["sequence"] = sequence;
      terminal_.out << line.dump() << "\n";
      return true;
    }
    terminal_.out << clean(arguments_.peer) << ": ";
    if (good)
      terminal_.out << "echo " << sequence << " in " << milliseconds(json["rtt_ms"].get<double>()) << " over "
                    << text_in(json, "path") << (true_in(json, "suspect") ? " (this node was busy: suspect)" : "")
                    << "\n";
    else
      terminal_.out << "echo " << sequence << " failed: " << text_in(json, "detail") << "\n";
    return true;
  }

  int simple(const std::string& target, const std::string& body, std::string_view done) {
    const auto answer = post(target, body, kPatience);
    if (!answer) return code_;
    const std::string name = text_in(*answer, "name");
    if (arguments_.json)
      terminal_.out << answer->dump(2) << "\n";
    else
      terminal_.out << done << (name.empty() ? text_in(*answer, "id") : name) << "\n";
    return kGood;
  }

  std::string events_query() const {
    std::string query;
    if (!arguments_.peer.empty()) query += "&peer=" + escaped(arguments_.peer);
    if (arguments_.since)
      query +=
          "&since=" + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(*arguments_.since).count()) +
          "ms";
    return query;
  }

  void show_event(const Json& event) {
    terminal_.out << (arguments_.json ? event.dump() + "\n" : event_view(event, terminal_.colours));
  }

  int recent_events() {
    // Asked for a time, everything within it; otherwise the last hundred.
    const auto answer = get("/api/v1/events?limit=" + std::string{arguments_.since ? "4096" : "100"} + events_query());
    if (!answer) return code_;
    for (const Json& event : answer->value("events", Json::array())) show_event(event);
    return kGood;
  }

  int follow_events() {
    std::string last_id;
    const auto each = [&](const StreamEvent& event) {
      if (!event.id.empty()) last_id = event.id;
      if (event.type == "missed") {
        terminal_.err << "peerwatch: some events were missed: " << clean(event.data) << "\n";
        return true;
      }
      if (const Json json = Json::parse(event.data, nullptr, false); json.is_object()) show_event(json);
      terminal_.out.flush();
      return static_cast<bool>(terminal_.out);
    };
    unsigned failures = 0;
    for (;;) {
      const std::string before = last_id;
      const auto response = daemon_.follow("/api/v1/events/stream?" + events_query(), last_id, each);
      if (response && response->status == 200) return kGood;
      if (response) return say_problem(response->status, Json::parse(response->body, nullptr, false));
      if (last_id != before) failures = 0;
      // Never reached: there is nothing to come back to.
      if ((last_id.empty() && failures == 0) || ++failures > kReconnects) {
        terminal_.err << "peerwatch: " << clean(response.error().detail) << "\n";
        return kUnreachable;
      }
      if (!terminal_.sleep(kReconnectPause)) return kGood;
    }
  }

  const Arguments& arguments_;
  Daemon& daemon_;
  const Terminal& terminal_;
  int code_ = kGood;
};

int run_action(Runner& runner, Action action) {
  switch (action) {
    case Action::status:
      return runner.status();
    case Action::peers:
      return runner.peers();
    case Action::ping:
      return runner.ping();
    case Action::bandwidth:
      return runner.bandwidth();
    case Action::events:
      return runner.events();
    case Action::connect:
      return runner.connect();
    case Action::disconnect:
      return runner.disconnect();
    case Action::reload:
      return runner.reload();
    case Action::netcheck:
      return runner.netcheck();
    case Action::export_peer:
      return runner.export_peer();
  }
  return kWrongUse;
}

}  // namespace

int run(const Arguments& arguments, Daemon& daemon, const Terminal& terminal) {
  Runner runner{arguments, daemon, terminal};
  const int code = run_action(runner, arguments.action);
  // A full disk or a closed pipe is an answer that nobody got.
  return !terminal.out.flush() && code == kGood ? kBadNews : code;
}

}  // namespace pw::cli
