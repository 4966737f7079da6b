#include "config/print.hpp"

#include <string_view>
#include <variant>

#include "config/keys.hpp"
#include "config/load.hpp"

namespace pw::config {
namespace {

/// A TOML basic string; load() lets no control characters in.
std::string toml_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

struct TomlValue {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(const std::string& v) const { return toml_string(v); }
  std::string operator()(const std::vector<std::string>& v) const {
    constexpr std::size_t kOneLine = 4;  // longer lists stand one element a line
    const std::string_view separator = v.size() > kOneLine ? ",\n  " : ", ";
    std::string out;
    for (const std::string& element : v) (out += out.empty() ? "" : separator) += toml_string(element);
    return v.size() > kOneLine ? "[\n  " + out + "\n]" : "[" + out + "]";
  }
};

template <class Target>
std::string line(const Key<Target>& key, const Target& target) {
  return std::string{key.leaf()} + " = " + std::visit(TomlValue{}, key.get(target)) + "\n";
}

}  // namespace

std::string to_toml(const Config& config) {
  std::string out;
  std::string_view section;
  for (const auto& key : config_keys()) {
    if (key.section() != section) {
      section = key.section();
      out += (out.empty() ? "[" : "\n[") + std::string{section} + "]\n";
    }
    out += line(key, config);
  }
  const auto blocks = [&out](const auto& values, const auto& keys) {
    for (const auto& value : values) {
      out += "\n[[" + std::string{keys.front().section()} + "]]\n";
      for (const auto& key : keys) out += line(key, value);
    }
  };
  blocks(config.bootstraps, bootstrap_keys());
  blocks(config.relays, relay_keys());
  blocks(config.peers, peer_keys());
  return out;
}

std::string key_help() {
  const Config defaults;
  std::string out = "Keys, as options and (in brackets) as variables of the environment:\n";
  for (const auto& key : config_keys()) {
    out += "\n  --" + key.name + " " + key.type + "  [" + environment_name(key.name) + "]\n      " + key.about +
           "\n      default " + std::visit(TomlValue{}, key.get(defaults));
    if (!key.range.empty()) out += "; " + key.range;
    out += "; " + std::string{name(key.effect)} + "\n";
  }
  return out;
}

}  // namespace pw::config
