#include "observe/exposition.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

#include "observe/utf8.hpp"

namespace pw::observe {
namespace {

constexpr std::size_t kNumberSize = 32;  // the longest double or integer, and a line break

char* write_double(char* at, char* end, double value) {
  if (std::isnan(value)) return std::strcpy(at, "NaN") + 3;
  if (std::isinf(value)) return std::strcpy(at, value > 0 ? "+Inf" : "-Inf") + 4;
  constexpr double kWhole = 9007199254740992.0;  // 2⁵³: below, a whole double is exact as an integer
  if (value == std::trunc(value) && std::abs(value) < kWhole)
    return std::to_chars(at, end, static_cast<std::int64_t>(value)).ptr;
  return std::to_chars(at, end, value).ptr;
}

char* write_decimal(char* at, char* end, std::int64_t value, int decimals) {
  std::uint64_t magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *at++ = '-';
    magnitude = 0 - magnitude;
  }
  std::uint64_t scale = 1;
  for (int i = 0; i < decimals; ++i) scale *= 10;
  at = std::to_chars(at, end, magnitude / scale).ptr;
  std::uint64_t fraction = magnitude % scale;
  if (fraction == 0) return at;
  *at++ = '.';
  for (; fraction != 0; fraction %= scale) {
    scale /= 10;
    *at++ = static_cast<char>('0' + fraction / scale);
  }
  return at;
}

/// The whole line is put together on the stack, where its parts are short, and appended once.
template <class Write>
void append_sample(std::string& out, std::string_view head, std::string_view label, std::string_view tail,
                   Write write_number) {
  constexpr std::size_t kLine = 320;
  char line[kLine + kNumberSize];
  char* at = line;
  if (head.size() + label.size() + tail.size() <= kLine) {
    const auto put = [&at](std::string_view part) {
      std::memcpy(at, part.data(), part.size());
      at += part.size();
    };
    put(head);
    put(label);
    put(tail);
  } else {
    out.append(head).append(label).append(tail);
  }
  at = write_number(at, at + kNumberSize - 1);
  *at++ = '\n';
  out.append(line, static_cast<std::size_t>(at - line));
}

constexpr std::string_view type_name(SeriesType type) {
  switch (type) {
    case SeriesType::counter:
      return "counter";
    case SeriesType::gauge:
      return "gauge";
    case SeriesType::histogram:
      return "histogram";
  }
  return {};
}

}  // namespace

void Exposer::family(std::string_view name, std::string_view help, SeriesType type) {
  constexpr std::string_view kTotal = "_total";
  if (format_ == Exposition::openmetrics && type == SeriesType::counter && name.ends_with(kTotal))
    name.remove_suffix(kTotal.size());
  header_.assign("# HELP ").append(name).append(" ").append(help);
  header_.append("\n# TYPE ").append(name).append(" ").append(type_name(type)).append("\n");
}

std::string& Exposer::line() {
  if (!header_.empty()) {
    out_ += header_;
    header_.clear();
  }
  return out_;
}

void Exposer::sample(std::string_view head, std::string_view label, std::string_view tail, std::uint64_t value) {
  append_sample(line(), head, label, tail, [&](char* at, char* end) { return std::to_chars(at, end, value).ptr; });
}

void Exposer::sample(std::string_view head, std::string_view label, std::string_view tail, double value) {
  append_sample(line(), head, label, tail, [&](char* at, char* end) { return write_double(at, end, value); });
}

void Exposer::decimal(std::string_view head, std::string_view label, std::string_view tail, std::int64_t value,
                      int decimals) {
  append_sample(line(), head, label, tail,
                [&](char* at, char* end) { return write_decimal(at, end, value, decimals); });
}

std::string Exposer::finish() && {
  if (format_ == Exposition::openmetrics) out_ += "# EOF\n";
  return std::move(out_);
}

void append_label_value(std::string& out, std::string_view value) {
  while (!value.empty()) {
    const CodePoint c = decode(value);
    const std::size_t size = c.size == 0 ? 1 : c.size;
    if (c.size == 0)
      out += kReplacement;
    else if (c.value == U'\n')
      out += "\\n";
    else if (c.value == U'"' || c.value == U'\\')
      (out += '\\') += value.front();
    else
      out += value.substr(0, size);
    value.remove_prefix(size);
  }
}

std::string bound_text(double bound) {
  if (std::isinf(bound)) return "+Inf";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, bound, std::chars_format::fixed).ptr;
  std::string out{text, end};
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

}  // namespace pw::observe
