#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace pw::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t value;
};

constexpr std::array kTimeUnits{Unit{"d", 86'400'000'000'000},
                                Unit{"h", 3'600'000'000'000},
                                Unit{"m", 60'000'000'000},
                                Unit{"s", 1'000'000'000},
                                Unit{"ms", 1'000'000},
                                Unit{"us", 1'000},
                                Unit{"ns", 1}};
constexpr std::array kSizeUnits{Unit{"TiB", 1ULL << 40},
                                Unit{"GiB", 1ULL << 30},
                                Unit{"MiB", 1ULL << 20},
                                Unit{"KiB", 1ULL << 10},
                                Unit{"B", 1},
                                Unit{"kB", 1'000},
                                Unit{"MB", 1'000'000},
                                Unit{"GB", 1'000'000'000},
                                Unit{"TB", 1'000'000'000'000}};
constexpr std::array kBitRateUnits{Unit{"Gbit/s", 1'000'000'000}, Unit{"Mbit/s", 1'000'000}, Unit{"kbit/s", 1'000},
                                   Unit{"bit/s", 1}};
constexpr std::array kRateUnits{Unit{"s", 1}, Unit{"m", 60}, Unit{"h", 3600}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes digits, then letters, from the front of `text`.
struct Quantity {
  std::uint64_t number;
  std::string_view unit;
};
std::optional<Quantity> take_quantity(std::string_view& text) {
  const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
  std::uint64_t number = 0;
  if (digits == 0 || std::from_chars(text.data(), text.data() + digits, number).ec != std::errc{}) return std::nullopt;
  text.remove_prefix(digits);
  const auto letters = static_cast<std::size_t>(std::ranges::find_if(text, is_digit) - text.begin());
  const Quantity q{number, text.substr(0, letters)};
  text.remove_prefix(letters);
  return q;
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  const auto found = std::ranges::find(units, name, &Unit::name);
  return found == units.end() ? nullptr : &*found;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto wrong = [] {
    return fail("expected a duration like \"5s\", \"250ms\" or \"1m30s\" (units: ns us ms s m h d, the larger first)");
  };
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max());
  std::uint64_t total = 0;
  const Unit* previous = nullptr;
  if (text.empty()) return wrong();
  while (!text.empty()) {
    const auto q = take_quantity(text);
    if (!q) return wrong();
    const Unit* unit = find_unit(kTimeUnits, q->unit);
    if (unit == nullptr || (previous != nullptr && unit->value >= previous->value)) return wrong();
    if (q->number > (kMost - total) / unit->value) return fail("this duration is longer than 292 years");
    total += q->number * unit->value;
    previous = unit;
  }
  return Duration{static_cast<Duration::rep>(total)};
}

std::string format_duration(Duration d) {
  auto left = static_cast<std::uint64_t>(std::max(d, Duration{}).count());
  std::string out;
  for (const Unit& unit : kTimeUnits) {
    if (left / unit.value > 0) out += std::to_string(left / unit.value) + std::string{unit.name};
    left %= unit.value;
  }
  return out.empty() ? "0s" : out;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto q = take_quantity(text);
  const Unit* unit = q ? find_unit(kSizeUnits, q->unit.empty() ? "B" : q->unit) : nullptr;
  if (unit == nullptr || !text.empty())
    return fail("expected a size like \"64KiB\", \"10MB\" or \"1048576\" (units: B kB MB GB TB KiB MiB GiB TiB)");
  if (q->number > std::numeric_limits<std::uint64_t>::max() / unit->value) return fail("this size is beyond 16 EiB");
  return q->number * unit->value;
}

std::string format_size(std::uint64_t bytes) {
  for (std::size_t i = 0; i < 4; ++i)  // the binary units stand first
    if (bytes > 0 && bytes % kSizeUnits[i].value == 0)
      return std::to_string(bytes / kSizeUnits[i].value) + std::string{kSizeUnits[i].name};
  return std::to_string(bytes) + "B";
}

Result<std::uint64_t> parse_bit_rate(std::string_view text) {
  const auto q = take_quantity(text);
  const Unit* unit = q ? find_unit(kBitRateUnits, q->unit) : nullptr;
  if (unit == nullptr || !text.empty())
    return fail("expected a rate like \"20Mbit/s\" or \"500kbit/s\" (units: bit/s kbit/s Mbit/s Gbit/s)");
  if (q->number > std::numeric_limits<std::uint64_t>::max() / unit->value) return fail("this rate is too high");
  return q->number * unit->value;
}

std::string format_bit_rate(std::uint64_t bits) {
  for (const Unit& unit : kBitRateUnits)
    if (bits > 0 && bits % unit.value == 0) return std::to_string(bits / unit.value) + std::string{unit.name};
  return std::to_string(bits) + "bit/s";
}

Result<double> parse_rate(std::string_view text) {
  const auto slash = text.find('/');
  const Unit* unit = slash == std::string_view::npos ? nullptr : find_unit(kRateUnits, text.substr(slash + 1));
  double number = 0;
  const char* end = text.data() + std::min(slash, text.size());
  const bool plain = !text.empty() && is_digit(text[0]);
  const auto parsed = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (unit == nullptr || !plain || parsed.ec != std::errc{} || parsed.ptr != end)
    return fail("expected a rate like \"50/s\", \"0.5/s\" or \"30/m\" (per s, m or h)");
  return number / static_cast<double>(unit->value);
}

std::string format_rate(double per_second) {
  std::array<char, 400> buffer{};  // the longest double in fixed notation has 309 + 17 characters
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), per_second, std::chars_format::fixed).ptr;
  return std::string{buffer.data(), end} + "/s";
}

}  // namespace pw::config
