// The only file of this room that sees the JSON library.
#include <nlohmann/json.hpp>

#include "config/keys.hpp"
#include "config/print.hpp"

namespace pw::config {
namespace {

using Json = nlohmann::ordered_json;

Json value(const Plain& plain) {
  return std::visit([](const auto& v) { return Json(v); }, plain);
}

}  // namespace

std::string to_json(const Config& config) {
  Json out = Json::object();
  for (const auto& key : config_keys())
    out[std::string{key.section()}][std::string{key.leaf()}] = value(key.get(config));
  const auto blocks = [&out](const auto& values, const auto& keys) {
    Json& list = out[std::string{keys.front().section()}] = Json::array();
    for (const auto& one : values) {
      Json block = Json::object();
      for (const auto& key : keys) block[std::string{key.leaf()}] = value(key.get(one));
      list.push_back(std::move(block));
    }
  };
  blocks(config.bootstraps, bootstrap_keys());
  blocks(config.relays, relay_keys());
  blocks(config.peers, peer_keys());
  // A Config that was not loaded may hold anything: `replace` is what does not throw.
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace pw::config
