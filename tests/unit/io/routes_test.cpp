#include "io/routes.hpp"

#include <linux/rtnetlink.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <optional>

#include "unit/io/own_network.hpp"

namespace pw::io {
namespace {

using event::Gateway;

Gateway by(std::string_view router, std::string_view own) {
  return {IpAddress::parse(router).value(), IpAddress::parse(own).value()};
}

std::optional<Gateway> way_out(Family family, const std::vector<std::string>& exclude = {}) {
  return read_gateway(family, exclude).value();
}

/// As the kernel tells of a route.
Buffer told(std::uint16_t type, unsigned char prefix) {
  nlmsghdr head{};
  rtmsg route{};
  head.nlmsg_type = type;
  head.nlmsg_len = NLMSG_SPACE(sizeof route);
  route.rtm_dst_len = prefix;
  Buffer out(NLMSG_SPACE(sizeof route));
  std::memcpy(out.data(), &head, sizeof head);
  std::memcpy(out.data() + NLMSG_HDRLEN, &route, sizeof route);
  return out;
}

}  // namespace

TEST_CASE("without a default route there is no way out, and of two the one of the smaller metric is it") {
  const bool right = in_a_network([] {
    if (way_out(Family::v4) || way_out(Family::v6)) return false;
    shell("ip route add default via 10.0.1.1 metric 100; ip route add default via 10.0.2.1 metric 50");
    shell("ip -6 route add default via 2001:db8:1::1 metric 50; ip -6 route add default via 2001:db8:2::1 metric 100");
    return way_out(Family::v4) == by("10.0.2.1", "10.0.2.2") && way_out(Family::v6) == by("2001:db8:1::1", "2001:db8:1::2");
  });
  CHECK(right);
}

TEST_CASE("a router behind an excluded interface is none, and the best of the others is asked for") {
  const bool right = in_a_network([] {
    shell("ip link add d3 type veth peer name e3; ip link set d3 up; ip link set e3 up; ip addr add 10.0.3.2/24 dev d3");
    shell("ip route add default via 10.0.1.1 metric 10; ip route add default via 10.0.2.1 metric 100");
    shell("ip route add default via 10.0.3.1 metric 50; ip -6 route add default via fe80::1 dev d1");
    return way_out(Family::v4, {"nobody", "d1"}) == by("10.0.3.1", "10.0.3.2") &&
           way_out(Family::v4, {"d1", "d3"}) == by("10.0.2.1", "10.0.2.2") && !way_out(Family::v4, {"d*"}) &&
           way_out(Family::v6) == by("fe80::1", "2001:db8:1::2") && !way_out(Family::v6, {"d1"});
  });
  CHECK(right);
}

TEST_CASE("what is left for VPNs of a default route, and one by several routers, are ways out too") {
  const bool right = in_a_network([] {
    shell("ip route add default via 10.0.1.1; ip route add 0.0.0.0/1 via 10.0.2.1; ip route add 128.0.0.0/1 via 10.0.2.1");
    if (way_out(Family::v4) != by("10.0.2.1", "10.0.2.2")) return false;
    shell("ip route flush 0.0.0.0/1; ip route flush 128.0.0.0/1; ip route flush exact default");
    shell("ip route replace default nexthop via 10.0.1.1 nexthop via 10.0.2.1");
    const auto one = way_out(Family::v4);
    return one == by("10.0.1.1", "10.0.1.2") || one == by("10.0.2.1", "10.0.2.2");
  });
  CHECK(right);
}

TEST_CASE("routes to somewhere in particular come and go without anybody looking, others and addresses don't") {
  Buffer many = told(RTM_NEWROUTE, 24);
  const Buffer gone = told(RTM_DELROUTE, 32), wide = told(RTM_DELROUTE, 0), half = told(RTM_NEWROUTE, 1);
  many.insert(many.end(), gone.begin(), gone.end());
  CHECK_FALSE(concerns_the_way_out(many));
  CHECK(concerns_the_way_out(wide));
  CHECK(concerns_the_way_out(half));
  CHECK(concerns_the_way_out(told(RTM_NEWADDR, 24)));
  many.insert(many.end(), wide.begin(), wide.end());
  CHECK(concerns_the_way_out(many));
  CHECK(concerns_the_way_out(ByteView{gone}.first(gone.size() - 4)));  // cut off
  CHECK(concerns_the_way_out({}));
}

}  // namespace pw::io
