#include "cli/netcheck.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "cli/text.hpp"

namespace pw::cli {
namespace {

using Json = nlohmann::ordered_json;

const Json& at(const Json& json, const char* key) {
  static const Json kNull;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found == json.end() ? kNull : *found;
}
std::string text(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_string() ? clean(value.get_ref<const std::string&>()) : std::string{};
}
std::optional<double> number(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_number() ? std::optional{value.get<double>()} : std::nullopt;
}
std::string joined(const Json& list, const char* between) {
  std::string out;
  if (!list.is_array()) return out;
  for (const Json& one : list)
    if (one.is_string()) out += (out.empty() ? "" : between) + clean(one.get_ref<const std::string&>());
  return out;
}

/// The words of RFC 4787 section 4.1, and what they mean here.
std::string mapping_of(const Json& b) {
  const std::string mapping = text(b, "mapping");
  if (mapping == "none") return "none: no NAT in the way";
  if (mapping == "endpoint_independent") return mapping + ": one outer address for all remotes";
  const bool at_least = at(b, "mapping_at_least") == true;
  if (mapping == "address_dependent" && at_least) return mapping + " or stricter: another outer address for each remote";
  if (!mapping.empty()) return mapping + ": another outer address for each remote";
  return mapping;
}

std::string filtering_of(const Json& b) {
  const std::string filtering = text(b, "filtering");
  if (filtering == "endpoint_independent") return filtering + ": everybody is let in";
  if (filtering == "address_dependent") return filtering + ": hosts that were sent to are let in";
  if (!filtering.empty()) return filtering + ": hosts are let in from ports that were sent to";
  return filtering;
}

std::string ports_of(const Json& b) {
  const std::string allocation = text(b, "allocation");
  const auto step = number(b, "step");
  return allocation == "sequential" && step ? allocation + ", by " + std::to_string(static_cast<int>(*step)) : allocation;
}

std::string lifetime_of(const Json& b) {
  const auto lives = number(b, "lifetime_seconds");
  const auto gone = number(b, "expires_seconds");
  std::string out = lives ? "still there after " + age(*lives) : std::string{};
  if (gone) out += (out.empty() ? "" : ", ") + std::string{"gone after "} + age(*gone);
  return out;
}

std::string yes_or_no(const Json& value) { return value.is_boolean() ? (value == true ? "yes" : "no") : ""; }

/// Silence is never sure: 100% is what nothing could have faked.
std::string sure_of(double confidence) {
  constexpr double kShown = 0.999;
  return confidence < 1 && confidence > kShown ? "more than 99.9%" : percent(confidence);
}

std::string state_of(const Json& family, const Json& b) {
  const std::string state = text(family, "state");
  const auto measured = number(b, "measured_seconds");
  if (state == "measured" && measured) return "measured " + age(*measured) + " ago";
  if (state == "measuring") return measured ? "being measured again, last " + age(*measured) + " ago" : "being measured";
  if (state == "no_address") return "no address of this machine's that others could use";
  if (state == "no_server")
    return std::string{"no STUN server to ask"} + (measured ? ", last measured " + age(*measured) + " ago" : "");
  return "not measured: nat.enabled is false, or there is neither a bootstrap nor a server in nat.stun_servers";
}

Colour colour_of(const Json& family, const Json& b) {
  if (text(family, "state") == "no_server") return Colour::yellow;
  if (at(b, "udp") == false) return Colour::red;
  return at(b, "udp") == true ? Colour::green : Colour::yellow;
}

std::string family_view(const Json& family, bool colours) {
  const Json& b = at(family, "behaviour");
  const std::string title = text(family, "family") == "ipv4" ? "IPv4" : "IPv6";
  std::string out = paint(title, Colour::bold, colours) + "  " + paint(state_of(family, b), colour_of(family, b), colours) + "\n";
  if (!b.is_object()) return out;
  const auto line = [&](const std::string& label, const std::string& value) {
    constexpr std::size_t kLabels = 18;
    out += "  " + label + std::string(kLabels - label.size(), ' ') + (value.empty() ? "not known" : value) + "\n";
  };
  const bool blocked = at(b, "udp") == false;
  line("UDP", blocked ? "blocked: nothing came back from any server" : at(b, "udp") == true ? "passes" : "");
  if (blocked) return out;
  line("outer address", text(b, "mapped"));
  line("mapping", mapping_of(b));
  line("filtering", filtering_of(b));
  if (text(b, "mapping") != "none") {
    line("hairpin", yes_or_no(at(b, "hairpin")));
    line("outer ports", ports_of(b));
  }
  line("silent mapping", lifetime_of(b));
  if (const auto sure = number(b, "confidence"))
    line("confidence", sure_of(*sure) + ", by " + at(b, "servers").dump() + (at(b, "servers") == 1 ? " server" : " servers"));
  if (at(b, "not_tested").is_array())
    for (const Json& why : at(b, "not_tested"))
      if (why.is_string()) line("not tested", clean(why.get_ref<const std::string&>()));
  return out;
}

std::string mapping_view(const Json& mapping, bool colours) {
  const Json& mapped = at(mapping, "mapped");
  std::string out = paint("port mapping", Colour::bold, colours) + "  ";
  if (mapped.is_object())
    return out + text(mapped, "external") + " by " + text(mapped, "protocol") +
           (at(mapped, "verified") == true ? "; reached from outside" : "; " + text(mapped, "doubt")) + "\n";
  const std::string gateway = text(mapping, "gateway");
  if (gateway.empty()) return out + "no gateway: this machine has no default route\n";
  out += "none at " + gateway + "\n";
  if (at(mapping, "protocols").is_array())
    for (const Json& p : at(mapping, "protocols"))
      if (const std::string why = text(p, "detail"); !why.empty()) out += "  " + text(p, "protocol") + ": " + why + "\n";
  return out;
}

/// The nearest first; those that are not connected have no distance.
std::string relays_view(const Json& relays, bool colours) {
  if (!relays.is_array() || relays.empty()) return {};
  std::vector<const Json*> all;
  for (const Json& relay : relays) all.push_back(&relay);
  static constexpr double kFar = 1e9;
  std::ranges::stable_sort(all, {}, [](const Json* relay) { return number(*relay, "rtt_ms").value_or(kFar); });
  std::size_t widest = 0;
  const auto title = [](const Json& relay) { return text(relay, "name").empty() ? text(relay, "short_id") : text(relay, "name"); };
  for (const Json* relay : all) widest = std::max(widest, title(*relay).size());
  std::string out = "\n" + paint("relays, the nearest first", Colour::bold, colours) + "\n";
  for (const Json* relay : all) {
    const auto rtt = number(*relay, "rtt_ms");
    const std::string why = text(at(*relay, "last_error"), "detail");
    out += "  " + title(*relay) + std::string(widest + 2 - title(*relay).size(), ' ');
    out += at(*relay, "up") == true && rtt ? milliseconds(*rtt) + (at(*relay, "home") == true ? ", home" : "")
                                           : "not connected" + (why.empty() ? "" : ": " + why);
    out += "\n";
  }
  return out;
}

}  // namespace

std::string netcheck_view(const Json& nat, bool colours) {
  std::string servers = joined(at(nat, "servers"), ", ");
  if (const std::string bootstraps = joined(at(nat, "bootstraps"), ", "); !bootstraps.empty())
    servers += (servers.empty() ? "bootstraps " : "; bootstraps ") + bootstraps;
  if (servers.empty()) servers = "none: bootstraps are, and nat.stun_servers names others";
  std::string out = "STUN servers: " + servers + "\n";
  if (const std::string missing = joined(at(nat, "unresolved"), "; "); !missing.empty())
    out += paint("not found: " + missing, Colour::red, colours) + "\n";
  // It takes a web server that is known to answer with nothing; this node asks none that it was not told of.
  out += "captive portal: not tested\n";
  if (at(nat, "families").is_array())
    for (const Json& family : at(nat, "families")) out += "\n" + family_view(family, colours);
  if (at(nat, "port_mapping").is_object()) out += "\n" + mapping_view(at(nat, "port_mapping"), colours);
  out += relays_view(at(nat, "relays"), colours);
  return out;
}

bool udp_blocked(const Json& nat) {
  bool blocked = false;
  if (!at(nat, "families").is_array()) return false;
  for (const Json& family : at(nat, "families")) {
    const Json& udp = at(at(family, "behaviour"), "udp");
    if (udp == true) return false;
    blocked = blocked || udp == false;
  }
  return blocked;
}

}  // namespace pw::cli
