#include "observe/log_format.hpp"

#include <algorithm>

#include "observe/time_text.hpp"

namespace pw::observe {
namespace {

/// Of one value. Escaping makes a byte six at worst, so that two of this length and the rest still fit.
constexpr std::size_t kMaxText = 300;
/// Left free for the end of a line that grows too long.
constexpr std::size_t kReserve = 64;

std::string_view cut(std::string_view text) { return text.substr(0, kMaxText); }

bool is_bare(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\'; });
}

void append_logfmt(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty() && out.back() != '>') out += ' ';
  out.append(key).append("=");
  if (is_bare(value))
    out += value;
  else
    append_json_string(out, value);
}

Field shortened(const Field& field) {
  if (const auto* text = std::get_if<std::string>(&field.value))
    if (text->size() > kMaxText) return {field.name, text->substr(0, kMaxText)};
  return field;
}

/// sd-daemon(3).
std::string_view priority(Level level) {
  switch (level) {
    case Level::debug:
      return "<7>";
    case Level::info:
      return "<6>";
    case Level::warning:
      return "<4>";
    case Level::error:
    case Level::off:
      return "<3>";
  }
  return {};
}

/// Appends one more piece, unless the line would become too long: then it says so, and takes no more.
class Pieces {
 public:
  explicit Pieces(std::string& out) : out_{out} {}
  template <class Append>
  bool add(Append append) {
    const std::size_t before = out_.size();
    append();
    if (out_.size() + kReserve <= kMaxLine) return true;
    out_.resize(before);
    return false;
  }

 private:
  std::string& out_;
};

std::string logfmt(const LogLine& line, bool journal) {
  std::string out;
  if (journal)
    out += priority(line.level);
  else
    append_logfmt(out, "time", rfc3339(line.at));
  append_logfmt(out, "level", name(line.level));
  append_logfmt(out, "room", name(line.room));
  append_logfmt(out, "msg", cut(line.message));
  Pieces pieces{out};
  for (const Field& field : line.fields) {
    if (pieces.add([&] { append_logfmt(out, field.name, cut(to_text(field.value))); })) continue;
    append_logfmt(out, "cut", "true");
    break;
  }
  out += '\n';
  return out;
}

std::string json(const LogLine& line) {
  std::string out = "{\"time\":\"" + rfc3339(line.at) + "\",\"level\":\"";
  out.append(name(line.level)).append("\",\"room\":\"").append(name(line.room)).append("\",\"msg\":");
  append_json_string(out, cut(line.message));
  Pieces pieces{out};
  for (const Field& field : line.fields) {
    const bool fits = pieces.add([&] {
      out += ',';
      append_json(out, shortened(field));
    });
    if (fits) continue;
    out += ",\"cut\":true";
    break;
  }
  out += "}\n";
  return out;
}

}  // namespace

std::string format_line(LogFormat format, const LogLine& line) {
  switch (format) {
    case LogFormat::logfmt:
      return logfmt(line, false);
    case LogFormat::journal:
      return logfmt(line, true);
    case LogFormat::json:
      return json(line);
  }
  return {};
}

}  // namespace pw::observe
