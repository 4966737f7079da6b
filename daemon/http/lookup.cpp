#include "http/lookup.hpp"

#include <vector>

#include "base/nearest.hpp"

namespace pw::http {
namespace {

std::string unknown(const event::NodeSnapshot& node, std::string_view wanted) {
  // What came in is repeated only where it is short enough to be a name.
  constexpr std::size_t kLongestQuoted = 64;
  std::string detail =
      wanted.size() <= kLongestQuoted ? "no peer is called \"" + std::string{wanted} + "\"" : "no such peer";
  std::vector<std::string_view> names;
  for (const auto& peer : node.peers) names.push_back(peer.name);
  if (const auto meant = nearest(wanted, names)) detail += "; did you mean \"" + *meant + "\"?";
  return detail;
}

}  // namespace

Lookup find_peer(const event::NodeSnapshot& node, std::string_view wanted) {
  Lookup result;
  if (const auto id = PeerId::parse(wanted)) result.id = *id;
  const event::PeerSnapshot* named = nullptr;
  const event::PeerSnapshot* begun = nullptr;
  std::size_t names = 0, beginnings = 0;
  for (const event::PeerSnapshot& peer : node.peers) {
    if (result.id && peer.id == *result.id) {
      result.peer = &peer;
      return result;
    }
    if (!wanted.empty() && peer.name == wanted) named = &peer, ++names;
    if (!wanted.empty() && !result.id && peer.id.to_string().starts_with(wanted)) begun = &peer, ++beginnings;
  }
  if (names == 1 || (names == 0 && beginnings == 1)) {
    result.peer = names == 1 ? named : begun;
    result.id = result.peer->id;
    return result;
  }
  result.status = names + beginnings == 0 ? 404 : 409;
  if (names > 1)
    result.detail = std::to_string(names) + " peers have that name: use the id";
  else if (beginnings > 1)
    result.detail = std::to_string(beginnings) + " peers have an id that begins so: write more of it";
  else
    result.detail = result.id ? "no peer with this id is known" : unknown(node, wanted);
  return result;
}

}  // namespace pw::http
