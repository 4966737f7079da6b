#include "base/address.hpp"

#include <catch2/catch_test_macros.hpp>
#include <unordered_set>

#include "base/rng.hpp"

namespace pw {
namespace {

TEST_CASE("IP addresses are written as RFC 5952 says") {
  struct Form {
    const char* in;
    const char* out;
  };
  for (const Form f : {Form{"192.0.2.7", "192.0.2.7"}, Form{"::", "::"}, Form{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
                       Form{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, Form{"fe80::0001", "fe80::1"},
                       Form{"::ffff:192.0.2.1", "::ffff:192.0.2.1"}}) {
    INFO(f.in);
    const auto address = IpAddress::parse(f.in);
    REQUIRE(address);
    CHECK(address->to_string() == f.out);
  }
}

TEST_CASE("what is no IP address is refused") {
  using namespace std::string_view_literals;
  for (const auto bad : {""sv, "1.2.3"sv, "1.2.3.4.5"sv, "1.2.3.256"sv, "01.2.3.4"sv, "1.2.3.4 "sv, ":::"sv,
                         "1::2::3"sv, "fe80::1%eth0"sv, "[::1]"sv, "host"sv, "1.2.3.4\0"sv, "12345::"sv,
                         "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"sv}) {
    INFO(bad);
    CHECK_FALSE(IpAddress::parse(bad));
  }
}

TEST_CASE("any address is read back the same, alone and with a port") {
  Rng rng{7};
  for (int i = 0; i < 2000; ++i) {
    std::array<std::uint8_t, 16> six{};
    std::array<std::uint8_t, 4> four{};
    rng.fill(six);
    rng.fill(four);
    for (std::uint8_t& b : six)
      if (rng.chance(0.6)) b = 0;  // runs of zeros are what RFC 5952 is about
    for (const IpAddress ip : {IpAddress::v4(four), IpAddress::v6(six)}) {
      CHECK(IpAddress::parse(ip.to_string()) == ip);
      const SocketAddress socket{ip, static_cast<std::uint16_t>(1 + rng.below(65535))};
      CHECK(SocketAddress::parse(socket.to_string()) == socket);
      const auto host = HostPort::parse(socket.to_string());
      REQUIRE(host);
      CHECK(host->to_string() == socket.to_string());
    }
  }
}

TEST_CASE("kinds of addresses") {
  const auto ip = [](const char* text) { return *IpAddress::parse(text); };
  CHECK(ip("0.0.0.0").is_unspecified());
  CHECK(ip("::").is_unspecified());
  CHECK(IpAddress{} == IpAddress::any(Family::v4));
  CHECK_FALSE(ip("::1").is_unspecified());
  CHECK(ip("127.255.0.9").is_loopback());
  CHECK(ip("::1").is_loopback());
  CHECK_FALSE(ip("128.0.0.1").is_loopback());
  CHECK_FALSE(ip("1::1").is_loopback());
  CHECK_FALSE(ip("::2").is_loopback());
  CHECK(ip("224.0.0.1").is_multicast());
  CHECK(ip("239.255.255.255").is_multicast());
  CHECK(ip("255.255.255.255").is_multicast());
  CHECK(ip("ff02::1").is_multicast());
  CHECK_FALSE(ip("223.255.255.255").is_multicast());
  CHECK_FALSE(ip("fe80::1").is_multicast());
  CHECK(ip("169.254.9.9").is_link_local());
  CHECK(ip("fe80::1").is_link_local());
  CHECK(ip("febf::1").is_link_local());
  CHECK_FALSE(ip("fec0::1").is_link_local());
  CHECK_FALSE(ip("169.253.0.1").is_link_local());
  CHECK(ip("1.2.3.4").bytes().size() == 4);
  CHECK(ip("::1").bytes().size() == 16);
}

TEST_CASE("host and port, and what a person is told when it is none") {
  CHECK(HostPort::parse("node-b.example:9470") == HostPort{"node-b.example", 9470});
  CHECK(HostPort::parse("[2001:db8::1]:1") == HostPort{"2001:db8::1", 1});
  CHECK(HostPort{"2001:db8::1", 1}.to_string() == "[2001:db8::1]:1");
  const auto error = [](const std::string& text) {
    const auto parsed = HostPort::parse(text);
    return parsed ? std::string{"(accepted)"} : parsed.error().detail;
  };
  CHECK(error("host") == "\"host\": the port is missing (write host:port)");
  CHECK(error("") == "\"\": the port is missing (write host:port)");
  CHECK(error(":1") == "\":1\": the host is missing (write host:port)");
  CHECK(error("[]:1") == "\"[]:1\": there is no IPv6 address between the brackets");
  CHECK(error("[1.2.3.4]:1") == "\"[1.2.3.4]:1\": there is no IPv6 address between the brackets");
  CHECK(error("[::1]") == "\"[::1]\": write an IPv6 address as [address]:port");
  CHECK(error("[::1:1") == "\"[::1:1\": write an IPv6 address as [address]:port");
  CHECK(error("::1:9470") == "\"::1:9470\": write an IPv6 address as [address]:port");
  CHECK(error("a b:1") == "\"a b:1\": a host name has only letters, digits, '-', '_' and '.'");
  CHECK(error(std::string(254, 'a') + ":1").ends_with("a host name has at most 253 characters"));
  for (const auto* port : {"", "0", "65536", "-1", "+1", "1x", " 1", "99999999999999999999"})
    CHECK(error(std::string{"h:"} + port) ==
          "\"h:" + std::string{port} + "\": the port must be a number from 1 to 65535");
  CHECK(HostPort::parse("h:65535")->port == 65535);
  CHECK_FALSE(SocketAddress::parse("node-b.example:9470"));
}

TEST_CASE("equal addresses hash alike, neighbours do not collide") {
  std::unordered_set<SocketAddress> seen;
  std::unordered_set<std::size_t> hashes;
  for (std::uint8_t i = 0; i < 250; ++i)
    for (std::uint16_t port = 1; port < 40; ++port) {
      const SocketAddress a{IpAddress::v4({10, 0, 0, i}), port};
      seen.insert(a);
      seen.insert(a);
      hashes.insert(std::hash<SocketAddress>{}(a));
    }
  CHECK(seen.size() == 250U * 39);
  CHECK(hashes.size() == seen.size());
}

}  // namespace
}  // namespace pw
