#include "config/units.hpp"

#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "base/rng.hpp"

namespace pw::config {
namespace {

TEST_CASE("durations of one or several units") {
  CHECK(parse_duration("5s") == 5s);
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("1d2h3m4s5ms6us7ns") == 26h + 3min + 4s + 5ms + 6us + 7ns);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("9223372036854775807ns") == Duration::max());
}

TEST_CASE("what is no duration is refused") {
  for (const auto* bad : {"", "5", "s", "5 s", "-5s", "+5s", "1.5s", "5S", "5sec", "30s1m", "1s1s", "5s ", "1h30",
                          "5s!", "9223372036854775808ns", "300000d", "106751d86400s", "99999999999999999999s"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("sizes in decimal and binary units, or plain bytes") {
  CHECK(parse_size("64KiB") == 65536U);
  CHECK(parse_size("1GiB") == 1U << 30);
  CHECK(parse_size("10MB") == 10'000'000U);
  CHECK(parse_size("3kB") == 3000U);
  CHECK(parse_size("1048576") == 1U << 20);
  CHECK(parse_size("7B") == 7U);
  CHECK(parse_size("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  for (const auto* bad :
       {"", "KiB", "1 KiB", "-1", "1.5KiB", "1KIB", "1K", "1KiB1B", "18446744073709551616", "16777216TiB"}) {
    INFO(bad);
    CHECK_FALSE(parse_size(bad));
  }
}

TEST_CASE("rates per second, minute and hour") {
  CHECK(parse_rate("50/s") == 50.0);
  CHECK(parse_rate("0.5/s") == 0.5);
  CHECK(parse_rate("30/m") == 0.5);
  CHECK(parse_rate("3600/h") == 1.0);
  for (const auto* bad :
       {"", "50", "/s", "50/", "50/d", "-1/s", "+1/s", "1e3/s", "inf/s", "nan/s", "0x1/s", "5 /s", "5/s/s", ".5/s"}) {
    INFO(bad);
    CHECK_FALSE(parse_rate(bad));
  }
}

TEST_CASE("what is written is read back the same") {
  Rng rng{1};
  for (int i = 0; i < 10'000; ++i) {
    const Duration d = Duration{static_cast<std::int64_t>(rng.next() >> (1 + rng.below(63)))};
    CHECK(parse_duration(format_duration(d)) == d);
    const std::uint64_t size = rng.next() >> rng.below(64);
    CHECK(parse_size(format_size(size)) == size);
    CHECK(parse_bit_rate(format_bit_rate(size)) == size);
    const double rate = rng.unit() * static_cast<double>(1ULL << rng.below(40));
    CHECK(parse_rate(format_rate(rate)) == rate);
  }
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_duration(0s) == "0s");
  CHECK(format_size(0) == "0B");
  CHECK(format_size(1536) == "1536B");
  CHECK(format_size(5 << 20) == "5MiB");
  CHECK(format_rate(50) == "50/s");
  CHECK(format_rate(std::numeric_limits<double>::max()).size() == 311);
}

}  // namespace
}  // namespace pw::config
