#include "observe/time_text.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace pw::observe {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr std::array kUnits = {Unit{"ns", 1}, Unit{"µs", 1'000}, Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000}};
constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

std::string two_units(std::int64_t big, const char* big_name, std::int64_t small, const char* small_name) {
  std::string out = std::to_string(big) + big_name;
  if (small != 0) out += std::to_string(small) + small_name;
  return out;
}

std::string below_a_minute(std::int64_t ns) {
  std::size_t unit = 0;
  // 999.5 of a unit would be written as 1000 of it.
  while (unit + 1 < kUnits.size() && ns * 2 >= kUnits[unit].nanoseconds * 1999) ++unit;
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", static_cast<double>(ns) / static_cast<double>(kUnits[unit].nanoseconds));
  return text + std::string{kUnits[unit].name};
}

}  // namespace

std::string rfc3339(WallTime at) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{at.time_since_epoch()};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<milliseconds>(time - day)};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

std::string human(Duration d) {
  if (d < Duration::zero()) return d == Duration::min() ? "-292y" : "-" + human(-d);
  if (d == Duration::zero()) return "0s";
  const std::int64_t ns = d.count();
  if (ns < 59'950'000'000) return below_a_minute(ns);
  const std::int64_t s = ns / 1'000'000'000 + (ns % 1'000'000'000 >= 500'000'000 ? 1 : 0);
  if (s < kHour) return two_units(s / kMinute, "m", s % kMinute, "s");
  if (s < kDay) return two_units(s / kHour, "h", s % kHour / kMinute, "m");
  return two_units(s / kDay, "d", s % kDay / kHour, "h");
}

}  // namespace pw::observe
