// The written forms of durations, sizes and rates, and back. Errors are sentences' ends: what was expected, with an
// example.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace pw::config {

/// "5s", "250ms", "1m30s": whole numbers, each with a unit out of ns us ms s m h d, the larger unit first.
Result<Duration> parse_duration(std::string_view text);
/// The shortest exact form: "1m30s"; zero is "0s".
std::string format_duration(Duration d);

/// "64KiB", "10MB", "1048576": a whole number of bytes, with a unit out of B kB MB GB TB (1000) KiB MiB GiB TiB (1024).
Result<std::uint64_t> parse_size(std::string_view text);
/// In the largest binary unit that leaves a whole number; plain bytes as "1000B".
std::string format_size(std::uint64_t bytes);

/// "20Mbit/s", "500kbit/s": bits a second, by thousands.
Result<std::uint64_t> parse_bit_rate(std::string_view text);
/// In the largest unit that leaves a whole number.
std::string format_bit_rate(std::uint64_t bits_per_second);

/// "50/s", "0.5/s", "30/m", "600/h": how many per second.
Result<double> parse_rate(std::string_view text);
std::string format_rate(double per_second);

}  // namespace pw::config
