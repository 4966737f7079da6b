#include "cli/views.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/text.hpp"

namespace pw::cli {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kNothing = "-";
constexpr std::size_t kShortId = 10;  // as PeerId::to_short() has it

/// The value at a path such as "/loss/forward/ratio"; null if there is none.
const Json& at(const Json& json, const char* path) {
  static const Json kNull;
  const Json::json_pointer pointer{path};
  return json.contains(pointer) ? json.at(pointer) : kNull;
}
std::optional<double> number(const Json& json, const char* path) {
  const Json& value = at(json, path);
  return value.is_number() ? std::optional{value.get<double>()} : std::nullopt;
}
std::string text(const Json& json, const char* path) {
  const Json& value = at(json, path);
  return value.is_string() ? clean(value.get_ref<const std::string&>()) : std::string{};
}
bool yes(const Json& json, const char* path) {
  const Json& value = at(json, path);
  return value.is_boolean() && value.get<bool>();
}

template <class Format>
std::string shown(const Json& json, const char* path, Format format) {
  const auto value = number(json, path);
  return value ? format(*value) : std::string{kNothing};
}
std::string ago(double seconds) { return age(seconds) + " ago"; }

/// "a / b", or one dash when neither was measured.
template <class Format>
std::string both(const Json& json, const char* first, const char* second, Format format) {
  const std::string a = shown(json, first, format), b = shown(json, second, format);
  return a == kNothing && b == kNothing ? a : a + " / " + b;
}

Colour colour_of_state(const std::string& state) {
  if (state == "connected") return Colour::green;
  if (state == "failed") return Colour::red;
  return state == "disconnected" ? Colour::dim : Colour::yellow;
}

std::string retry(const Json& peer) {
  const auto seconds = number(peer, "/next_dial_seconds");
  return seconds ? "retries in " + age(*seconds) : std::string{};
}

/// Nothing while it is closed: that is how it should be.
std::string breaker(const Json& peer) {
  const std::string state = text(peer, "/breaker/state");
  if (state.empty() || state == "closed") return {};
  const std::string failed = " after " + at(peer, "/breaker/failures").dump() + " failures in a row";
  const auto next = number(peer, "/breaker/next_attempt_seconds");
  return (state == "half_open" ? "half open" : state) + failed + (next ? "; one dial in " + age(*next) : std::string{});
}

/// Why a peer is not as it should be, and what happens next.
std::string note(const Json& peer) {
  if (yes(peer, "/held")) return "held: disconnected by an operator";
  const std::string state = text(peer, "/state");
  if (state == "connected") return text(peer, "/path") == "none" ? "no live path" : "";
  std::string note = text(peer, "/last_error/type");
  if (const std::string detail = text(peer, "/last_error/detail"); !detail.empty())
    note += (note.empty() ? "" : ": ") + detail;
  if (note.empty() && at(peer, "/addresses").empty() && text(peer, "/method") != "inbound")
    note = "no address is known";
  const std::string next = retry(peer);
  return note + (note.empty() || next.empty() ? "" : "; ") + next;
}

std::string name_of(const Json& peer) {
  const std::string name = text(peer, "/name");
  return name.empty() ? std::string{kNothing} : name;
}

std::string path_of(const Json& peer) {
  const std::string path = text(peer, "/path");
  return path == "none" ? std::string{kNothing} : path;
}

std::string counts(const Json& by) {
  std::string out;
  for (const auto& [key, value] : by.items())
    if (value.is_number_unsigned() && value.get<std::uint64_t>() != 0 && key != "none")
      out += (out.empty() ? "" : ", ") + value.dump() + " " + clean(key);
  return out;
}

/// "label   value" lines, aligned.
class Lines {
 public:
  void add(std::string label, std::string value) {
    if (!value.empty() && value != kNothing) lines_.emplace_back(std::move(label), std::move(value));
  }
  std::string to_string(bool colours) const {
    std::size_t widest = 0;
    for (const auto& [label, value] : lines_) widest = std::max(widest, width(label));
    std::string out;
    for (const auto& [label, value] : lines_)
      out += paint(label, Colour::bold, colours) + std::string(widest - width(label) + 2, ' ') + value + "\n";
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

std::string joined(const Json& list) {
  std::string out;
  for (const Json& item : list)
    if (item.is_string()) out += (out.empty() ? "" : ", ") + clean(item.get_ref<const std::string&>());
  return out;
}

std::string paths_table(const Json& peer, bool colours) {
  const Json& paths = at(peer, "/paths");
  if (!paths.is_array() || paths.empty()) return {};
  Table table{{"", "PATH", "REMOTE", "HEALTH", "RTT", "MIN", "AGE", "LAST PROOF"}};
  for (const Json& path : paths) {
    const std::string health = text(path, "/health");
    table.add({{yes(path, "/in_use") ? "*" : " "},
               {text(path, "/kind")},
               {text(path, "/relay").empty() ? text(path, "/remote") : "by " + text(path, "/relay").substr(0, kShortId)},
               {health, health == "proved" ? Colour::green
                        : health == "dead" ? Colour::red
                                           : Colour::yellow},
               {shown(path, "/rtt_ms", milliseconds)},
               {shown(path, "/rtt_min_ms", milliseconds)},
               {shown(path, "/age_seconds", age)},
               {shown(path, "/last_proof_seconds", ago)}});
  }
  return "\n" + table.to_string(colours);
}

std::string loss(const Json& peer, const char* direction) {
  const std::string base = std::string{"/loss/"} + direction;
  const auto ratio = number(peer, (base + "/ratio").c_str());
  if (!ratio) return std::string{kNothing};
  return percent(*ratio) + " (" + at(peer, (base + "/lost").c_str()).dump() + " of " +
         at(peer, (base + "/expected").c_str()).dump() + " in 60s)";
}

std::string since(const Json& json, const char* time, const char* seconds) {
  const std::string when = text(json, time);
  return when.empty() ? std::string{} : shown(json, seconds, ago) + "  (" + when + ")";
}

std::string toml_string(std::string_view value) {
  std::string out = "\"";
  for (const char c : clean(value)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string peers_view(const Json& document, bool colours) {
  const Json& peers = at(document, "/peers");
  if (!peers.is_array() || peers.empty())
    return "No peers. Write [[peer]] blocks into the configuration, or use: peerwatch connect ID --address HOST:PORT\n";
  Table table{{"NAME", "ID", "STATE", "PATH", "RTT", "JITTER", "LOSS OUT/IN", "BANDWIDTH OUT/IN", "LAST SEEN", "NOTE"}};
  for (const Json& peer : peers) {
    const std::string state = text(peer, "/state");
    table.add({{name_of(peer)},
               {text(peer, "/short_id"), Colour::dim},
               {state, colour_of_state(state)},
               {path_of(peer)},
               {shown(peer, "/rtt_smoothed_ms", milliseconds)},
               {shown(peer, "/jitter_ms", milliseconds)},
               {both(peer, "/loss/forward/ratio", "/loss/return/ratio", percent)},
               {both(peer, "/bandwidth/outbound_bytes_per_second", "/bandwidth/inbound_bytes_per_second", rate)},
               {shown(peer, "/last_seen_seconds", ago)},
               {note(peer)}});
  }
  return table.to_string(colours);
}

std::string status_view(const Json& status, const Json& peers, bool colours) {
  const bool ready = yes(status, "/ready"), healthy = yes(status, "/healthy");
  std::string out = paint(text(status, "/name"), Colour::bold, colours) + "  " + text(status, "/short_id") + "  mesh " +
                    text(status, "/mesh") + "  peerwatchd " + text(status, "/version") + "  up " +
                    shown(status, "/uptime_seconds", age) + "  ";
  if (!healthy)
    out += paint("unhealthy: the network thread makes no progress", Colour::red, colours);
  else if (yes(status, "/stopping"))
    out += paint("stopping", Colour::yellow, colours);
  else
    out += ready ? paint("ready", Colour::green, colours)
                 : paint("not ready: " + joined(at(status, "/reasons")), Colour::yellow, colours);
  const std::string states = counts(at(status, "/peers/by_state"));
  const std::string paths = counts(at(status, "/peers/by_path"));
  const std::string total = at(status, "/peers/total").dump();
  out += "\n" + total + (total == "1" ? " peer" : " peers") + (states.empty() ? "" : ": " + states) +
         (paths.empty() ? "" : " (" + paths + ")");
  if (number(status, "/servers/configured").value_or(0) != 0)
    out += "; " + at(status, "/servers/up").dump() + " of " + at(status, "/servers/configured").dump() + " servers up";
  out += "\n\n";
  return out + peers_view(peers, colours);
}

std::string peer_view(const Json& peer, bool colours) {
  Lines lines;
  const std::string state = text(peer, "/state");
  lines.add("name", text(peer, "/name"));
  lines.add("id", text(peer, "/id"));
  lines.add("state", paint(state, colour_of_state(state), colours) + " for " + shown(peer, "/state_seconds", age));
  lines.add("connected", since(peer, "/connected_since", "/connected_seconds"));
  lines.add("software", text(peer, "/software"));
  lines.add("known by", text(peer, "/method"));
  lines.add("addresses", joined(at(peer, "/addresses")));
  lines.add("path", path_of(peer));
  lines.add("rtt", shown(peer, "/rtt_smoothed_ms", milliseconds) == kNothing
                       ? ""
                       : shown(peer, "/rtt_smoothed_ms", milliseconds) + " smoothed, " +
                             shown(peer, "/rtt_ms", milliseconds) + " last");
  lines.add("jitter", shown(peer, "/jitter_ms", milliseconds));
  lines.add("loss outbound", loss(peer, "forward"));
  lines.add("loss inbound", loss(peer, "return"));
  lines.add("bandwidth out/in",
            both(peer, "/bandwidth/outbound_bytes_per_second", "/bandwidth/inbound_bytes_per_second", rate));
  lines.add("measured out/in",
            both(peer, "/estimate/outbound/bytes_per_second", "/estimate/inbound/bytes_per_second", rate));
  lines.add("last seen", since(peer, "/last_seen", "/last_seen_seconds"));
  lines.add("failed dials",
            number(peer, "/failures").value_or(0) == 0 ? "" : at(peer, "/failures").dump() + " in a row");
  lines.add("breaker", breaker(peer));
  lines.add("next dial", number(peer, "/next_dial_seconds") ? "in " + shown(peer, "/next_dial_seconds", age) : "");
  const std::string error = text(peer, "/last_error/type");
  lines.add("last error", error.empty() ? ""
                                        : error + ": " + text(peer, "/last_error/detail") + ", " +
                                              shown(peer, "/last_error/age_seconds", ago));
  lines.add("note", state == "connected" || yes(peer, "/held") ? note(peer) : "");
  return lines.to_string(colours) + paths_table(peer, colours);
}

std::string event_view(const Json& event, bool colours) {
  const std::string type = text(event, "/type");
  const bool bad =
      type == "connection_failed" || type == "admission_refused" || type == "trouble" || type == "duplicate_identity";
  return paint(text(event, "/time"), Colour::dim, colours) + "  " +
         paint(type, bad ? Colour::red : Colour::bold, colours) + "  " + text(event, "/message") + "\n";
}

std::string peer_block(const Json& status) {
  std::string addresses;
  for (const Json& address : at(status, "/advertise"))
    if (address.is_string())
      addresses += (addresses.empty() ? "" : ", ") + toml_string(address.get_ref<const std::string&>());
  std::string out =
      "[[peer]]\nid = " + toml_string(text(status, "/id")) + "\nname = " + toml_string(text(status, "/name")) + "\n";
  if (addresses.empty()) out += "# Write here where this node is reached, or set network.advertise on it.\n";
  return out + "addresses = [" + addresses + "]\n";
}

std::string bandwidth_view(const Json& answer) {
  Lines lines;
  for (const std::string label : {"outbound", "inbound"}) {
    const std::string base = "/" + label;
    const auto speed = number(answer, (base + "/bytes_per_second").c_str());
    const auto bytes = number(answer, (base + "/bytes").c_str());
    if (speed && bytes) lines.add(label, rate(*speed) + " = " + bit_rate(*speed) + ", " + size(*bytes) + " moved");
  }
  return lines.to_string(false);
}

}  // namespace pw::cli
