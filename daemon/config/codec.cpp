#include "config/codec.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/nearest.hpp"
#include "config/units.hpp"

namespace pw::config {
namespace {

constexpr std::size_t kLongestPattern = 63;  // four times as long as an interface's name may be
constexpr std::size_t kLongestLabel = 63;   // a DNS label (RFC 1035): names become metric labels and file names
constexpr std::size_t kLongestPath = 1024;  // far below PATH_MAX

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// A codec whose value is written as one string; `parse` gives a Result whose error follows the key's name.
template <class T, class Parse, class Show>
Codec<T> from_text(std::string type, std::string range, const char* example, Parse parse, Show show) {
  Codec<T> out{std::move(type), std::move(range), Shape::text, {}, std::move(show)};
  out.read = [parse, what = out.type, example](const Raw& raw, const std::string& key,
                                               Problems& problems) -> std::optional<T> {
    const auto* text = std::get_if<std::string>(&raw.value);
    if (text == nullptr) {
      problems.add(raw.place, key + ": expected a " + what + " in quotation marks like \"" + example + "\", found " +
                                  raw.describe());
      return std::nullopt;
    }
    Result<T> value = parse(*text);
    if (!value) {
      problems.add(raw.place, key + ": " + value.error().detail);
      return std::nullopt;
    }
    return std::move(*value);
  };
  return out;
}

template <class T>
Codec<std::vector<T>> list_of(const char* elements, Codec<T> element, std::size_t most) {
  Codec<std::vector<T>> out{std::string{"list of "} + elements, "at most " + std::to_string(most), Shape::list, {}, {}};
  out.read = [read = element.read, most](const Raw& raw, const std::string& key,
                                         Problems& problems) -> std::optional<std::vector<T>> {
    const auto* list = std::get_if<Raw::List>(&raw.value);
    if (list == nullptr) {
      problems.add(raw.place, key + ": expected a list like [\"…\", \"…\"], found " + raw.describe());
      return std::nullopt;
    }
    if (list->size() > most) {
      problems.add((*list)[most].place, key + ": has " + std::to_string(list->size()) + " elements, at most " +
                                            std::to_string(most) + " are allowed");
      return std::nullopt;
    }
    std::vector<T> values;
    for (const Raw& one : *list)
      if (auto value = read(one, key, problems)) values.push_back(std::move(*value));
    if (values.size() != list->size()) return std::nullopt;
    return values;
  };
  out.show = [show = element.show](const std::vector<T>& values) {
    std::vector<std::string> texts;
    for (const T& v : values) texts.push_back(std::get<std::string>(show(v)));
    return Plain{std::move(texts)};
  };
  return out;
}

Error out_of_range(const std::string& least, const std::string& most, const std::string& found) {
  return {"must be from " + least + " to " + most + ", not " + found};
}

/// A quantity with a written form, within bounds.
template <class T>
Codec<T> quantity(const char* type, const char* example, T least, T most, Result<T> (*parse)(std::string_view),
                  std::string (*format)(T)) {
  return from_text<T>(
      type, format(least) + " … " + format(most), example,
      [=](const std::string& text) -> Result<T> {
        Result<T> value = parse(text);
        if (!value) return fail(value.error().detail + ", found " + quoted(text));
        if (*value < least || *value > most)
          return tl::unexpected(out_of_range(format(least), format(most), format(*value)));
        return value;
      },
      [format](const T& value) { return Plain{format(value)}; });
}

Result<std::string> check_label(const std::string& text) {
  const bool good =
      text.size() <= kLongestLabel && !text.empty() && is_alphanumeric(text[0]) &&
      std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
  if (good) return text;
  return fail("a name has 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit, found " +
              quoted(text));
}

Plain show_text(const std::string& text) { return Plain{text}; }
template <class T>
Plain show_value(const T& value) {
  return Plain{value.to_string()};
}

Codec<std::string> path_codec(std::size_t longest, bool optional) {
  return from_text<std::string>(
      "path", "", "/etc/peerwatch/file",
      [=](const std::string& text) -> Result<std::string> {
        if (text.empty() && !optional) return fail("expected a path, found an empty string");
        if (text.size() > longest)
          return fail("this path has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(longest) +
                      " are allowed");
        if (!is_clean_text(text)) return fail("a path must be UTF-8 without control characters, found " + quoted(text));
        return text;
      },
      show_text);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// One part of log.level: "debug" or "quic=debug". The words are those of observe's log, which this room does not see;
/// a test holds them together.
Status check_level(std::string_view part) {
  static constexpr std::array kLevels{"debug"sv, "info"sv, "warning"sv, "warn"sv, "error"sv, "off"sv};
  static constexpr std::array kRooms{"app"sv, "config"sv, "http"sv, "io"sv, "mesh"sv, "peer"sv, "probe"sv, "quic"sv};
  const auto equals = part.find('=');
  const std::string_view level = equals == std::string_view::npos ? part : trimmed(part.substr(equals + 1));
  if (std::ranges::find(kLevels, level) == kLevels.end())
    return fail("there is no level " + quoted(level) +
                " (debug, info, warning, error, off); expected one like \"info\" or \"info,quic=debug\"");
  if (equals == std::string_view::npos) return {};
  const std::string_view room = trimmed(part.substr(0, equals));
  if (std::ranges::find(kRooms, room) == kRooms.end())
    return fail("there is no room " + quoted(room) + " (app, config, http, io, mesh, peer, probe, quic)");
  return {};
}

Result<SocketAddress> unicast_address(const std::string& text) {
  auto address = SocketAddress::parse(text);
  if (address && address->ip.is_multicast()) return fail(quoted(text) + " is a multicast or broadcast address");
  return address;
}

/// Of a value that is left out by "".
template <class T>
Codec<std::optional<T>> optional_of(std::string type, const char* example, Result<T> (*parse)(const std::string&)) {
  return from_text<std::optional<T>>(
      std::move(type), "", example,
      [parse](const std::string& text) -> Result<std::optional<T>> {
        if (text.empty()) return std::nullopt;
        auto value = parse(text);
        if (!value) return tl::unexpected(value.error());
        return std::optional{std::move(*value)};
      },
      [](const std::optional<T>& value) { return Plain{value ? value->to_string() : std::string{}}; });
}

}  // namespace

Codec<bool> boolean() {
  Codec<bool> out{"boolean", "", Shape::boolean, {}, [](const bool& v) { return Plain{v}; }};
  out.read = [](const Raw& raw, const std::string& key, Problems& problems) -> std::optional<bool> {
    if (const auto* value = std::get_if<bool>(&raw.value)) return *value;
    problems.add(raw.place, key + ": expected true or false, found " + raw.describe());
    return std::nullopt;
  };
  return out;
}

Codec<std::uint32_t> integer(std::uint32_t least, std::uint32_t most) {
  const std::string range = std::to_string(least) + " … " + std::to_string(most);
  Codec<std::uint32_t> out{
      "integer", range, Shape::integer, {}, [](const std::uint32_t& v) { return Plain{static_cast<std::int64_t>(v)}; }};
  out.read = [=](const Raw& raw, const std::string& key, Problems& problems) -> std::optional<std::uint32_t> {
    const auto* value = std::get_if<std::int64_t>(&raw.value);
    if (value == nullptr) {
      problems.add(raw.place, key + ": expected an integer like " + std::to_string(most) + ", found " + raw.describe());
      return std::nullopt;
    }
    if (*value < least || *value > most) {
      problems.add(
          raw.place,
          key + ": " + out_of_range(std::to_string(least), std::to_string(most), std::to_string(*value)).detail);
      return std::nullopt;
    }
    return static_cast<std::uint32_t>(*value);
  };
  return out;
}

Codec<Duration> duration(Duration least, Duration most) {
  return quantity<Duration>("duration", "5s", least, most, parse_duration, format_duration);
}
Codec<std::uint64_t> size(std::uint64_t least, std::uint64_t most) {
  return quantity<std::uint64_t>("size", "64KiB", least, most, parse_size, format_size);
}
Codec<std::uint64_t> bit_rate(std::uint64_t least, std::uint64_t most) {
  return quantity<std::uint64_t>("bit rate", "20Mbit/s", least, most, parse_bit_rate, format_bit_rate);
}
Codec<double> rate(double least, double most) {
  return quantity<double>("rate", "50/s", least, most, parse_rate, format_rate);
}

Codec<std::string> required_label() { return from_text<std::string>("name", "", "node-a", check_label, show_text); }
Codec<std::string> label() {
  return from_text<std::string>(
      "name", "", "node-a",
      [](const std::string& text) -> Result<std::string> { return text.empty() ? text : check_label(text); },
      show_text);
}

Codec<std::string> domain_name() {
  return from_text<std::string>(
      "domain name", "", "_peerwatch._udp.example",
      [](const std::string& text) -> Result<std::string> {
        constexpr std::size_t kLongestName = 253;  // RFC 1035 section 2.3.4, as text
        constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
        if (text.size() > kLongestName || text.find_first_not_of(kAllowed) != std::string::npos || text.starts_with('.') ||
            text.find("..") != std::string::npos)
          return fail(quoted(text) + " is no name of DNS");
        return text;
      },
      show_text);
}

Codec<std::string> path(std::size_t longest, bool optional) { return path_codec(longest, optional); }
Codec<std::vector<std::string>> paths(std::size_t most) {
  return list_of("paths", path_codec(kLongestPath, false), most);
}

Codec<std::vector<std::string>> patterns(std::size_t most) {
  return list_of("patterns",
                 from_text<std::string>(
                     "pattern", "", "docker*",
                     [](const std::string& text) -> Result<std::string> {
                       if (text.empty() || text.size() > kLongestPattern || !is_clean_text(text))
                         return fail("a pattern has 1 to 63 characters, found " + quoted(text));
                       return text;
                     },
                     show_text),
                 most);
}

Codec<std::string> log_level() {
  return from_text<std::string>(
      "level", "", "info,quic=debug",
      [](const std::string& text) -> Result<std::string> {
        std::string_view left = text;
        for (;;) {
          const auto comma = left.find(',');
          if (auto good = check_level(trimmed(left.substr(0, comma))); !good) return tl::unexpected(good.error());
          if (comma == std::string_view::npos) return text;
          left.remove_prefix(comma + 1);
        }
      },
      show_text);
}

Codec<PeerId> peer_id() {
  return from_text<PeerId>(
      "peer id", "", "…52 characters…",
      [](const std::string& text) -> Result<PeerId> {
        if (text.empty()) return fail("is empty: paste what \"peerwatchd --identity\" prints on that node");
        return PeerId::parse(text);
      },
      show_value<PeerId>);
}
Codec<std::vector<PeerId>> peer_ids(std::size_t most) { return list_of("peer ids", peer_id(), most); }

Codec<std::vector<SocketAddress>> socket_addresses(std::size_t most) {
  return list_of("addresses",
                 from_text<SocketAddress>("address", "", "127.0.0.1:9470", unicast_address, show_value<SocketAddress>), most);
}
Codec<std::optional<SocketAddress>> optional_socket_address() {
  return optional_of<SocketAddress>("address", "0.0.0.0:443", unicast_address);
}
Codec<std::optional<WebSocketAddress>> optional_websocket() {
  return optional_of<WebSocketAddress>("wss URL", "wss://relay.example/relay",
                                       [](const std::string& text) { return WebSocketAddress::parse(text); });
}
Codec<std::vector<HostPort>> host_ports(std::size_t most) {
  return list_of("host:port",
                 from_text<HostPort>("host:port", "", "node-b.example:9470", HostPort::parse, show_value<HostPort>),
                 most);
}

Codec<Switch> automatic_switch() {
  Codec<Switch> out{"boolean", "auto, true, false", Shape::text, {}, [](const Switch& v) {
                      return v == Switch::automatic ? Plain{std::string{"auto"}} : Plain{v == Switch::on};
                    }};
  out.read = [](const Raw& raw, const std::string& key, Problems& problems) -> std::optional<Switch> {
    if (const auto* value = std::get_if<bool>(&raw.value)) return *value ? Switch::on : Switch::off;
    const auto* text = std::get_if<std::string>(&raw.value);  // as the environment has it
    if (text != nullptr && *text == "auto") return Switch::automatic;
    if (text != nullptr && *text == "true") return Switch::on;
    if (text != nullptr && *text == "false") return Switch::off;
    problems.add(raw.place, key + ": expected \"auto\", true or false, found " + raw.describe());
    return std::nullopt;
  };
  return out;
}

Codec<std::size_t> word(std::vector<std::string> words) {
  Codec<std::size_t> out{"word", "", Shape::text, {}, [words](const std::size_t& i) { return Plain{words[i]}; }};
  for (const std::string& w : words) out.range += (out.range.empty() ? "" : ", ") + w;
  out.read = [words, range = out.range](const Raw& raw, const std::string& key,
                                        Problems& problems) -> std::optional<std::size_t> {
    const auto* text = std::get_if<std::string>(&raw.value);
    if (text != nullptr)
      if (const auto found = std::ranges::find(words, *text); found != words.end())
        return static_cast<std::size_t>(found - words.begin());
    const auto near = text == nullptr ? std::nullopt : nearest(*text, words);
    problems.add(raw.place, key + ": expected one of " + range + ", found " + raw.describe(),
                 near ? "did you mean \"" + *near + "\"?" : "");
    return std::nullopt;
  };
  return out;
}

Codec<std::vector<std::size_t>> some_words(std::vector<std::string> words) {
  const std::size_t most = words.size();
  const Codec<std::size_t> one = word(std::move(words));
  auto out = list_of("words", one, most);
  out.range = one.range;
  out.read = [read = out.read, range = one.range](const Raw& raw, const std::string& key,
                                                  Problems& problems) -> std::optional<std::vector<std::size_t>> {
    auto values = read(raw, key, problems);
    if (!values) return std::nullopt;
    if (values->empty()) {
      problems.add(raw.place, key + ": expected at least one of " + range);
      return std::nullopt;
    }
    std::ranges::sort(*values);
    values->erase(std::ranges::unique(*values).begin(), values->end());
    return values;
  };
  return out;
}

}  // namespace pw::config
