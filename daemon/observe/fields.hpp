// The one mapping from an event to names, values and words. Log lines, API JSON and the live stream all come from it,
// so they can't disagree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/peer_id.hpp"
#include "base/time.hpp"
#include "event/event.hpp"

namespace pw::observe {

/// A Duration is written as `name=1.5ms` for people and as `"name_ms": 1.5` in JSON.
using Value = std::variant<bool, std::uint64_t, double, Duration, std::string_view, std::string, PeerId, SocketAddress>;

struct Field {
  std::string_view name;  // snake_case, static
  Value value;
};
using Fields = std::vector<Field>;

/// In the order of the struct's members; values that are absent or without meaning are left out.
Fields fields_of(const event::Event& event);

/// One sentence for a person, without a full stop; peers by their short id.
std::string message_of(const event::Event& event);

/// What tells one reason of an event's type from another (error type, refusal, states …): equal events by type, peer
/// and this are repetitions of each other.
std::uint64_t reason_of(const event::Event& event);

/// The value as text, the way logfmt shows it (before any quoting).
std::string to_text(const Value& value);

/// Appends `"name":value` (for a Duration `"name_ms":value`) as valid JSON, whatever bytes the value has.
void append_json(std::string& out, const Field& field);
/// Appends a JSON string with its quotes. Control characters, line separators and marks that
/// change the direction of text are escaped; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace pw::observe
