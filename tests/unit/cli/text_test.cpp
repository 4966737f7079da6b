#include "cli/text.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::cli;

TEST_CASE("round trips have three digits that matter") {
  CHECK(milliseconds(0.314159) == "0.31 ms");
  CHECK(milliseconds(0.0042) == "4 \u00b5s");
  CHECK(milliseconds(9.994) == "9.99 ms");
  CHECK(milliseconds(12.34) == "12.3 ms");
  CHECK(milliseconds(123.4) == "123 ms");
  CHECK(milliseconds(1500) == "1.50 s");
}

TEST_CASE("ages have two units at most") {
  CHECK(age(0.04) == "0.0s");
  CHECK(age(-1) == "0.0s");
  CHECK(age(9.9) == "9.9s");
  CHECK(age(59.6) == "1m");
  CHECK(age(200) == "3m 20s");
  CHECK(age(7500) == "2h 5m");
  CHECK(age(86400 * 4 + 3 * 3600 + 59) == "4d 3h");
}

TEST_CASE("rates and ratios") {
  CHECK(rate(0) == "0 B/s");
  CHECK(rate(940) == "940 B/s");
  CHECK(rate(999.9) == "1.0 kB/s");
  CHECK(rate(1234567) == "1.2 MB/s");
  CHECK(bit_rate(1e6) == "8.0 Mbit/s");
  CHECK(size(2.5e9) == "2.5 GB");
  CHECK(percent(0) == "0%");
  CHECK(percent(0.0001) == "<0.1%");
  CHECK(percent(0.05) == "5.0%");
  CHECK(percent(1) == "100%");
}

TEST_CASE("durations are read with and without a unit") {
  CHECK(parse_duration("0.5") == Duration{500ms});
  CHECK(parse_duration("250ms") == Duration{250ms});
  CHECK(parse_duration("1.5h") == Duration{90min});
  CHECK(parse_duration("2d") == Duration{48h});
  for (const auto* text : {"", "s", "-1s", "5 s", "5y", "1e300d", "nan", "inf", "0x1s"})
    CHECK_FALSE(parse_duration(text));
}

TEST_CASE("sizes are read with and without a unit") {
  CHECK(parse_size("1000") == 1000U);
  CHECK(parse_size("64KiB") == 65536U);
  CHECK(parse_size("1.5MB") == 1500000U);
  for (const auto* text : {"", "KiB", "-1", "5 MB", "5TB", "1e99"}) CHECK_FALSE(parse_size(text));
}

TEST_CASE("nothing that a peer or a daemon says can drive the terminal") {
  CHECK(clean("node\x1b[2Jb\r\n\x7f") == "node?[2Jb???");
  CHECK(clean("a\xc2\x9b"
              "31mb") == "a?31mb");
  CHECK(clean("n\xc3\xb6"
              "de") ==
        "n\xc3\xb6"
        "de");
}

TEST_CASE("columns align by what is seen, not by bytes or colour") {
  Table table{{"NAME", "STATE", "NOTE"}};
  table.add({{"n\xc3\xb6"}, {"failed", Colour::red}, {""}});
  table.add({{"node-long"}, {"connected"}, {"x"}});
  CHECK(table.to_string(false) == "NAME       STATE      NOTE\nn\xc3\xb6         failed\nnode-long  connected  x\n");
  CHECK(table.to_string(true).find("\x1b[31mfailed\x1b[0m\n") != std::string::npos);
}
