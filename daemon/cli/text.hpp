// How values look to people: durations, sizes, rates, aligned tables, colours. Nothing here reads the environment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace pw::cli {

enum class Colour { plain, red, green, yellow, dim, bold };

/// The text in the colour, or as it is when colours are off.
std::string paint(std::string_view text, Colour colour, bool colours);

/// What a terminal may be shown: control characters (escape sequences among them) become '?'.
std::string clean(std::string_view text);
/// Columns that the text takes: one for each code point.
std::size_t width(std::string_view text);

/// "40 µs", "0.31 ms", "12.4 ms", "1.50 s": three digits that matter.
std::string milliseconds(double ms);
/// "0.4s", "12s", "3m 20s", "2h 5m", "4d 3h".
std::string age(double seconds);
/// "940 B/s", "1.2 kB/s", "12.0 MB/s": powers of ten.
std::string rate(double bytes_per_second);
/// "9.6 Mbit/s".
std::string bit_rate(double bytes_per_second);
/// "12.3 kB", powers of ten.
std::string size(double bytes);
/// "0%", "0.4%", "12%".
std::string percent(double ratio);

/// "5", "0.5" (seconds), "200ms", "5s", "2m", "1h", "1d".
Result<Duration> parse_duration(std::string_view text);
/// "1000", "64KiB", "10MiB", "1GiB", "5kB", "5MB", "1GB".
Result<std::uint64_t> parse_size(std::string_view text);

struct Cell {
  std::string text;
  Colour colour = Colour::plain;
};

/// Columns as wide as their widest cell, two spaces apart, the last one ragged.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_{std::move(header)} {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  std::string to_string(bool colours) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace pw::cli
