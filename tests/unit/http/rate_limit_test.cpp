#include "http/rate_limit.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using pw::http::RateLimit;

namespace {
IpAddress v4(unsigned n) {
  return IpAddress::v4(
      {10, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
}
constexpr Instant kStart{1000s};
}  // namespace

TEST_CASE("a client has its burst, then its rate, and does not touch another's") {
  RateLimit limit{50};
  int granted = 0;
  for (int i = 0; i < 1000; ++i) granted += limit.take(v4(1), kStart) ? 1 : 0;
  CHECK(granted == 100);
  CHECK(limit.take(v4(2), kStart));
  for (int i = 0; i < 1000; ++i) granted += limit.take(v4(1), kStart + 1s) ? 1 : 0;
  CHECK(granted == 150);
}

TEST_CASE("addresses of one /64 are one client") {
  RateLimit limit{1};
  const auto in_net = [](std::uint8_t net, std::uint8_t host) {
    return IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, net, 0, 0, 0, 0, 0, 0, 0, host});
  };
  int granted = 0;
  for (std::uint8_t i = 0; i < 200; ++i) granted += limit.take(in_net(1, i), kStart) ? 1 : 0;
  CHECK(granted == 10);
  CHECK(limit.take(in_net(2, 1), kStart));
}

TEST_CASE("the table is bounded, and idle clients leave it") {
  RateLimit limit{1};
  for (unsigned i = 0; i < 3 * RateLimit::kMaxClients; ++i) limit.take(v4(i), kStart);
  CHECK(limit.clients() == RateLimit::kMaxClients);
  int granted = 0;
  for (unsigned i = 100000; i < 100100; ++i) granted += limit.take(v4(i), kStart) ? 1 : 0;
  CHECK(granted == 0);
  CHECK(limit.take(v4(100000), kStart + 10min));
  CHECK(limit.clients() == 1);
}
