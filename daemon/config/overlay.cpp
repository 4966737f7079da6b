#include "config/overlay.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/nearest.hpp"
#include "config/load.hpp"

namespace pw::config {
namespace {

constexpr std::string_view kPrefix = "PEERWATCH_";

const Key<Config>* find_key(std::string_view name) {
  const auto& keys = config_keys();
  const auto found = std::ranges::find(keys, name, &Key<Config>::name);
  return found == keys.end() ? nullptr : &*found;
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(config_keys(), [&](const Key<Config>& k) { return k.section() == name; });
}

/// The nearest word, if it is near enough that nobody could have meant something else: a quarter of it differs at most.
std::optional<std::string> truly_near(std::string_view word, const std::vector<std::string>& known) {
  auto best = nearest(word, known);
  if (best && edit_distance(word, *best) > std::max<std::size_t>(1, word.size() / 4)) return std::nullopt;
  return best;
}

std::string did_you_mean(const std::optional<std::string>& word) {
  return word ? "did you mean \"" + *word + "\"?" : std::string{};
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What a text from the environment or the command line means for a key. A text that is no such value stays a string:
/// the key's own parser says what it expected.
Raw from_text(Shape shape, const Place& place, std::string_view text) {
  Raw raw{place, std::string{text}};
  if (shape == Shape::boolean && (text == "true" || text == "false")) raw.value = text == "true";
  if (shape == Shape::integer) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) raw.value = number;
  }
  if (shape == Shape::list) {
    Raw::List elements;
    for (std::string_view left = text; !trimmed(left).empty();) {
      const auto comma = left.find(',');
      elements.push_back({place, std::string{trimmed(left.substr(0, comma))}});
      left = comma == std::string_view::npos ? std::string_view{} : left.substr(comma + 1);
    }
    raw.value = std::move(elements);
  }
  return raw;
}

/// Container platforms set NAME_SERVICE_HOST, NAME_PORT, NAME_PORT_9470_TCP … for a service called "peerwatch-NAME".
bool is_service_link(std::string_view variable) {
  return variable.ends_with("_SERVICE_HOST") || variable.find("_SERVICE_PORT") != std::string_view::npos ||
         variable.ends_with("_PORT") || variable.find("_TCP") != std::string_view::npos ||
         variable.find("_UDP") != std::string_view::npos;
}

}  // namespace

std::string environment_name(std::string_view key) {
  std::string out{kPrefix};
  for (const char c : key) out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

const Raw* Overlay::written(std::string_view key) const {
  const auto found = written_.find(key);
  return found == written_.end() ? nullptr : &found->second;
}

void Overlay::set(const Key<Config>& key, Raw raw) {
  if (key.set(raw, config_, problems_)) {
    failed_.erase(key.name);
    written_.insert_or_assign(key.name, std::move(raw));
  } else {
    failed_.insert(key.name);
  }
}

void Overlay::section(const Member& member) {
  const auto* table = std::get_if<Raw::Table>(&member.value.value);
  if (table == nullptr) {
    problems_.add(member.place, member.name + ": expected a section, written [" + member.name + "], found " +
                                    member.value.describe());
    return;
  }
  for (const Member& entry : *table) {
    if (const auto* key = find_key(member.name + "." + entry.name))
      set(*key, entry.value);
    else
      unknown_key(entry.place, member.name, entry.name);
  }
}

void Overlay::unknown_section(const Member& member) {
  std::string hint;
  if (!problems_.full()) {
    std::vector<std::string> known{"peer", "bootstrap", "relay"};
    for (const auto& key : config_keys()) known.emplace_back(key.section());
    hint = did_you_mean(truly_near(member.name, known));
    if (hint.empty())  // a key that lost its section?
      for (const auto& key : config_keys())
        if (key.leaf() == member.name) hint = did_you_mean(key.name);
  }
  const bool table = std::holds_alternative<Raw::Table>(member.value.value);
  problems_.add(member.place, (table ? "unknown section " : "unknown key ") + quoted(member.name), hint);
}

void Overlay::unknown_key(const Place& place, std::string_view section, std::string_view leaf) {
  std::string hint;
  if (!problems_.full()) {
    std::vector<std::string> known;
    for (const auto& key : config_keys())
      if (key.section() == section) known.emplace_back(key.leaf());
    if (section == "peer")
      for (const auto& key : peer_keys()) known.emplace_back(key.leaf());
    if (section == "bootstrap" || section == "relay")
      for (const auto& key : relay_keys()) known.emplace_back(key.leaf());
    if (const auto near = truly_near(leaf, known)) {
      hint = did_you_mean(std::string{section} + "." + *near);
    } else {  // the right key in another section?
      for (const auto& key : config_keys())
        if (key.leaf() == leaf) hint = did_you_mean(key.name);
    }
  }
  problems_.add(place, "unknown key " + quoted(std::string{section} + "." + std::string{leaf}), hint);
}

template <class Target>
void Overlay::blocks(const Member& member, const Blocks<Target>& of) {
  const auto* list = std::get_if<Raw::List>(&member.value.value);
  if (list == nullptr) {
    problems_.add(member.place, std::string{of.kind} + ": expected blocks, each written [[" + std::string{of.kind} +
                                    "]], found " + member.value.describe());
    return;
  }
  for (const Raw& raw : *list) block(raw, of);
}

template <class Target>
void Overlay::block(const Raw& raw, const Blocks<Target>& of) {
  const std::string kind{of.kind};
  const auto* table = std::get_if<Raw::Table>(&raw.value);
  if (table == nullptr) {
    problems_.add(raw.place, kind + ": expected a block, written [[" + kind + "]], found " + raw.describe());
    return;
  }
  Target out;
  PeerPlace places{raw.place, raw.place, raw.place};
  bool good = true;
  bool named = false;
  for (const Member& entry : *table) {
    const auto key = std::ranges::find(of.keys, entry.name, &Key<Target>::leaf);
    if (key == of.keys.end()) {
      unknown_key(entry.place, of.kind, entry.name);
      continue;
    }
    const bool is_id = entry.name == "id";
    if (is_id || entry.name == "name") (is_id ? places.id : places.name) = entry.value.place;
    named = named || is_id;
    good = key->set(entry.value, out, problems_) && good;
  }
  if (!named)
    problems_.add(raw.place, "a [[" + kind + "]] needs an id",
                  "paste what \"peerwatchd --identity\" prints on that node");
  if (!named || !good) return;
  if (of.out.size() >= of.most) {
    if (too_many_.insert(kind).second)
      problems_.add(raw.place, "more than " + std::to_string(of.most) + " " + kind + "s");
    return;
  }
  of.out.push_back(std::move(out));
  of.places.push_back(std::move(places));
}

void Overlay::apply_file(const Raw::Table& document) {
  for (const Member& member : document) {
    if (member.name == "peer")
      blocks<Peer>(member, {"peer", peer_keys(), kMostPeers, config_.peers, peer_places_});
    else if (member.name == "bootstrap")
      blocks<Server>(member,
                     {"bootstrap", bootstrap_keys(), kMostServers, config_.bootstraps, bootstrap_places_});
    else if (member.name == "relay")
      blocks<Server>(member, {"relay", relay_keys(), kMostServers, config_.relays, relay_places_});
    else if (is_section(member.name))
      section(member);
    else
      unknown_section(member);
  }
}

void Overlay::apply_environment(const std::map<std::string, std::string>& environment) {
  std::vector<std::string> known;
  for (const auto& key : config_keys()) known.push_back(environment_name(key.name));
  for (const auto& key : config_keys()) {
    const auto found = environment.find(environment_name(key.name));
    if (found != environment.end()) set(key, from_text(key.shape, {found->first}, found->second));
  }
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kPrefix) || std::ranges::find(known, name) != known.end() || is_service_link(name)) continue;
    const auto near = truly_near(name.substr(kPrefix.size()), [&] {
      std::vector<std::string> words;
      for (const std::string& k : known) words.push_back(k.substr(kPrefix.size()));
      return words;
    }());
    // PEERWATCH_URL and the like belong to other programs of ours; PEERWATCH_HTTP_… can only be meant for this one.
    const bool ours = std::ranges::any_of(
        config_keys(), [&](const Key<Config>& key) { return name.starts_with(environment_name(key.section()) + "_"); });
    if (!near && !ours) continue;
    problems_.add({name}, "no key has this variable",
                  did_you_mean(near ? std::optional{std::string{kPrefix} + *near} : std::nullopt));
  }
}

void Overlay::apply_overrides(const std::vector<std::pair<std::string, std::string>>& overrides) {
  std::map<std::string, Raw> lists;
  for (const auto& [name, text] : overrides) {
    const Place place{"--" + name};
    const auto* key = find_key(name);
    if (key == nullptr) {
      const auto dot = std::min(name.find('.'), name.size());
      if (is_section(name.substr(0, dot)) && dot < name.size())
        unknown_key(place, std::string_view{name}.substr(0, dot), std::string_view{name}.substr(dot + 1));
      else
        problems_.add(place, "unknown key " + quoted(name), [&] {
          std::vector<std::string> known;
          for (const auto& k : config_keys()) known.push_back(k.name);
          return did_you_mean(truly_near(name, known));
        }());
    } else if (Raw raw = from_text(key->shape, place, text); key->shape == Shape::list) {
      auto& elements = std::get<Raw::List>(lists.try_emplace(name, Raw{place, Raw::List{}}).first->second.value);
      auto& more = std::get<Raw::List>(raw.value);
      elements.insert(elements.end(), more.begin(), more.end());
    } else {
      set(*key, std::move(raw));
    }
  }
  for (auto& [name, raw] : lists) set(*find_key(name), std::move(raw));
}

}  // namespace pw::config
