#include "cli/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace pw::cli {
namespace {

std::string printed(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// Three digits that matter.
std::string three_digits(double value) {
  return printed(value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value);
}

std::string scaled(double value, std::string_view unit) {
  constexpr std::array<const char*, 5> kPrefixes = {"", "k", "M", "G", "T"};
  std::size_t power = 0;
  while (value >= 999.5 && power + 1 < kPrefixes.size()) {
    value /= 1000;
    ++power;
  }
  const std::string number = power == 0 ? printed("%.0f", value) : printed(value < 99.95 ? "%.1f" : "%.0f", value);
  return number + " " + kPrefixes[power] + std::string{unit};
}

/// The number at the beginning, and what follows it.
std::optional<std::pair<double, std::string_view>> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  return std::pair{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

struct Unit {
  std::string_view name;
  double factor;
};

template <std::size_t N>
std::optional<double> with_unit(std::string_view text, const std::array<Unit, N>& units) {
  const auto parsed = number(text);
  if (!parsed) return std::nullopt;
  for (const Unit& unit : units)
    if (unit.name == parsed->second) return parsed->first * unit.factor;
  return std::nullopt;
}

}  // namespace

std::string paint(std::string_view text, Colour colour, bool colours) {
  constexpr std::array<std::string_view, 6> kCodes = {"", "31", "32", "33", "2", "1"};
  if (!colours || colour == Colour::plain) return std::string{text};
  return "\x1b[" + std::string{kCodes[static_cast<std::size_t>(colour)]} + "m" + std::string{text} + "\x1b[0m";
}

std::string clean(std::string_view text) {
  std::string out{text};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    // C1 controls are two bytes in UTF-8: 0xC2 0x80 … 0xC2 0x9F.
    const bool c1 = c == 0xc2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xa0;
    if (c1) out.erase(i + 1, 1);
    if (c1 || c < 0x20 || c == 0x7f) out[i] = '?';
  }
  return out;
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string milliseconds(double ms) {
  if (ms < 0.0995) return printed("%.0f \u00b5s", ms * 1000);
  return ms < 999.5 ? three_digits(ms) + " ms" : three_digits(ms / 1000) + " s";
}

std::string age(double seconds) {
  if (seconds < 9.95) return printed("%.1fs", std::max(0.0, seconds));
  const auto s = static_cast<std::uint64_t>(std::llround(seconds));
  const auto two = [](std::uint64_t large, const char* unit, std::uint64_t small, const char* small_unit) {
    return std::to_string(large) + unit + (small == 0 ? "" : " " + std::to_string(small) + small_unit);
  };
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3600) return two(s / 60, "m", s % 60, "s");
  if (s < 86400) return two(s / 3600, "h", s / 60 % 60, "m");
  return two(s / 86400, "d", s / 3600 % 24, "h");
}

std::string rate(double bytes_per_second) { return scaled(bytes_per_second, "B/s"); }
std::string bit_rate(double bytes_per_second) { return scaled(bytes_per_second * 8, "bit/s"); }
std::string size(double bytes) { return scaled(bytes, "B"); }

std::string percent(double ratio) {
  const double value = ratio * 100;
  if (value == 0) return "0%";
  if (value < 0.1) return "<0.1%";
  return printed(value < 9.95 ? "%.1f%%" : "%.0f%%", value);
}

Result<Duration> parse_duration(std::string_view text) {
  constexpr std::array kUnits = {Unit{"", 1},   Unit{"ms", 1e-3}, Unit{"s", 1},
                                 Unit{"m", 60}, Unit{"h", 3600},  Unit{"d", 86400}};
  constexpr double kLongest = 10 * 365.25 * 86400;  // far from overflowing nanoseconds
  const auto seconds = with_unit(text, kUnits);
  if (!seconds || *seconds > kLongest)
    return fail("\"" + clean(text) + "\" is no duration: write 500ms, 5s, 2m, 1h or 1d");
  return from_seconds(*seconds);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::array kUnits = {Unit{"", 1},
                                 Unit{"B", 1},
                                 Unit{"KiB", 1024},
                                 Unit{"MiB", 1024.0 * 1024},
                                 Unit{"GiB", 1024.0 * 1024 * 1024},
                                 Unit{"kB", 1000},
                                 Unit{"MB", 1e6},
                                 Unit{"GB", 1e9}};
  constexpr double kLargest = 1e15;
  const auto bytes = with_unit(text, kUnits);
  if (!bytes || *bytes > kLargest) return fail("\"" + clean(text) + "\" is no size: write 1000, 64KiB, 10MiB or 1GiB");
  return static_cast<std::uint64_t>(*bytes);
}

std::string Table::to_string(bool colours) const {
  std::vector<std::size_t> widths;
  for (const auto& title : header_) widths.push_back(width(title));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
  const auto line = [&](const auto& cells, const auto& text_of, const auto& colour_of) {
    std::string out;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += paint(text_of(cells[i]), colour_of(cells[i]), colours);
      if (i + 1 < cells.size()) out += std::string(widths[i] - width(text_of(cells[i])) + 2, ' ');
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
  };
  std::string out = line(
      header_, [](const std::string& s) { return s; }, [](const std::string&) { return Colour::bold; });
  for (const auto& row : rows_)
    out += line(
        row, [](const Cell& c) { return c.text; }, [](const Cell& c) { return c.colour; });
  return out;
}

}  // namespace pw::cli
