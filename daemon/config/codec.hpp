// Codec<T>: one kind of value: how it is read from what somebody wrote, and how it is shown. Used by the table of keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/names.hpp"
#include "config/config.hpp"
#include "config/document.hpp"

namespace pw::config {

/// A value as TOML and JSON can show it.
using Plain = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

/// How a text from the environment or the command line becomes a value.
enum class Shape : std::uint8_t { text, integer, boolean, list };

template <class T>
struct Codec {
  std::string type;   // "duration", for people
  std::string range;  // "100ms … 1h"; may be empty
  Shape shape = Shape::text;
  /// Nothing: the problems were added, each at its place and starting with `name`.
  std::function<std::optional<T>(const Raw&, const std::string& name, Problems&)> read;
  std::function<Plain(const T&)> show;
};

Codec<bool> boolean();
Codec<std::uint32_t> integer(std::uint32_t least, std::uint32_t most);
Codec<Duration> duration(Duration least, Duration most);
Codec<std::uint64_t> size(std::uint64_t least, std::uint64_t most);
/// Bits a second.
Codec<std::uint64_t> bit_rate(std::uint64_t least, std::uint64_t most);
/// Per second.
Codec<double> rate(double least, double most);
/// A label: starts with a letter or digit, then letters, digits, '.', '_', '-'; at most 63. May be empty.
Codec<std::string> label();
/// As label(), and not empty.
Codec<std::string> required_label();
/// A name of DNS, of letters, digits, '-' and '_' between dots; at most 253 characters. May be empty.
Codec<std::string> domain_name();
/// A path of at most `longest` bytes; empty only if `optional`.
Codec<std::string> path(std::size_t longest, bool optional);
/// "info", or with rooms: "info,quic=debug".
Codec<std::string> log_level();
Codec<PeerId> peer_id();

/// Lists of at most `most` elements; every bad element is a problem of its own.
Codec<std::vector<std::string>> paths(std::size_t most);
/// Patterns of names as a shell has them ("docker*").
Codec<std::vector<std::string>> patterns(std::size_t most);
Codec<std::vector<PeerId>> peer_ids(std::size_t most);
Codec<std::vector<SocketAddress>> socket_addresses(std::size_t most);
Codec<std::vector<HostPort>> host_ports(std::size_t most);

/// An address, or nothing: "".
Codec<std::optional<SocketAddress>> optional_socket_address();
/// "wss://relay.example/relay", or nothing.
Codec<std::optional<WebSocketAddress>> optional_websocket();

/// true, false, or "auto".
Codec<Switch> automatic_switch();

/// One of the names of E, by words found beforehand: see one_of().
Codec<std::size_t> word(std::vector<std::string> words);
/// At least one of them; what is said twice counts once. See some_of().
Codec<std::vector<std::size_t>> some_words(std::vector<std::string> words);

template <class E>
Codec<E> one_of() {
  std::vector<std::string> words;
  for (const std::string_view n : names(E{})) words.emplace_back(n);
  Codec<std::size_t> inner = word(std::move(words));
  Codec<E> out{inner.type, inner.range, inner.shape, {}, {}};
  out.read = [read = inner.read](const Raw& raw, const std::string& key, Problems& problems) -> std::optional<E> {
    const auto index = read(raw, key, problems);
    return index ? std::optional{static_cast<E>(*index)} : std::nullopt;
  };
  out.show = [](const E& value) { return Plain{std::string{name(value)}}; };
  return out;
}

template <class E>
Codec<std::vector<E>> some_of() {
  std::vector<std::string> words;
  for (const std::string_view n : names(E{})) words.emplace_back(n);
  Codec<std::vector<std::size_t>> inner = some_words(std::move(words));
  Codec<std::vector<E>> out{inner.type, inner.range, inner.shape, {}, {}};
  out.read = [read = inner.read](const Raw& raw, const std::string& key,
                                 Problems& problems) -> std::optional<std::vector<E>> {
    const auto indices = read(raw, key, problems);
    if (!indices) return std::nullopt;
    std::vector<E> values;
    for (const std::size_t i : *indices) values.push_back(static_cast<E>(i));
    return values;
  };
  out.show = [](const std::vector<E>& values) {
    std::vector<std::string> shown;
    for (const E value : values) shown.emplace_back(name(value));
    return Plain{std::move(shown)};
  };
  return out;
}

}  // namespace pw::config
