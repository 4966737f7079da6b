#include <charconv>
#include <cmath>

#include "observe/fields.hpp"
#include "observe/time_text.hpp"
#include "observe/utf8.hpp"

namespace pw::observe {
namespace {

template <class Number>
void append_number(std::string& out, Number value) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_double(std::string& out, double value) {
  if (std::isfinite(value))
    append_number(out, value);
  else
    out += "null";  // JSON has no other word for it
}

void append_escape(std::string& out, char32_t c) {
  switch (c) {
    case U'\n':
      out += "\\n";
      return;
    case U'\r':
      out += "\\r";
      return;
    case U'\t':
      out += "\\t";
      return;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[c >> shift & 15U];
}

struct JsonValue {
  std::string& out;
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(std::uint64_t v) const { append_number(out, v); }
  void operator()(double v) const { append_double(out, v); }
  void operator()(Duration v) const { append_double(out, to_milliseconds(v)); }
  void operator()(std::string_view v) const { append_json_string(out, v); }
  void operator()(const std::string& v) const { append_json_string(out, v); }
  void operator()(const PeerId& v) const { append_json_string(out, v.to_string()); }
  void operator()(const SocketAddress& v) const { append_json_string(out, v.to_string()); }
};

struct TextValue {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::uint64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const {
    std::string out;
    append_number(out, v);
    return out;
  }
  std::string operator()(Duration v) const { return human(v); }
  std::string operator()(std::string_view v) const { return std::string{v}; }
  std::string operator()(const std::string& v) const { return v; }
  std::string operator()(const PeerId& v) const { return v.to_string(); }
  std::string operator()(const SocketAddress& v) const { return v.to_string(); }
};

}  // namespace

std::string to_text(const Value& value) { return std::visit(TextValue{}, value); }

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const CodePoint c = decode(text);
    if (c.size == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    if (c.value == U'"' || c.value == U'\\') {
      out += '\\';
      out += text.front();
    } else if (is_treacherous(c.value)) {
      append_escape(out, c.value);
    } else {
      out += text.substr(0, c.size);
    }
    text.remove_prefix(c.size);
  }
  out += '"';
}

void append_json(std::string& out, const Field& field) {
  out += '"';
  out += field.name;
  out += std::holds_alternative<Duration>(field.value) ? "_ms\":" : "\":";
  std::visit(JsonValue{out}, field.value);
}

}  // namespace pw::observe
