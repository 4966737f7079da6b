#include "io/routes.hpp"

#include <fnmatch.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "io/fd.hpp"
#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

/// Nobody has these: 240.0.0.0/4 is reserved (RFC 1112 section 4), 3ffe::/16 was given back (RFC 3701). So no route leads
/// there in particular, also where every network of the internet has its own.
const IpAddress kSomewhere4 = IpAddress::v4({240, 0, 0, 1});
const IpAddress kSomewhere6 = IpAddress::v6({0x3f, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

/// Interfaces that are asked for a route of their own, where the usual one is excluded.
constexpr std::size_t kMaxInterfaces = 64;
/// 0.0.0.0/1 and 128.0.0.0/1 are how some VPNs say default, and 2000::/3 or 3000::/4 in IPv6.
constexpr unsigned kWide = 4;

struct Route {
  std::optional<IpAddress> gateway;
  std::optional<IpAddress> source;
  unsigned interface = 0;
  std::uint32_t metric = 0;
};

Error system_error(const std::string& what) { return {what + ": " + std::strerror(errno)}; }

void append(Buffer& message, std::uint16_t type, ByteView value) {
  rtattr head{};
  head.rta_type = type;
  head.rta_len = static_cast<unsigned short>(RTA_LENGTH(value.size()));
  const std::size_t at = message.size();
  message.resize(at + RTA_SPACE(value.size()));
  std::memcpy(message.data() + at, &head, sizeof head);
  std::memcpy(message.data() + at + RTA_LENGTH(0), value.data(), value.size());
}

Buffer question(Family family, unsigned interface, unsigned flags) {
  nlmsghdr head{};
  rtmsg route{};
  const IpAddress& to = family == Family::v4 ? kSomewhere4 : kSomewhere6;
  head.nlmsg_type = RTM_GETROUTE;
  head.nlmsg_flags = NLM_F_REQUEST;
  route.rtm_family = static_cast<unsigned char>(domain_of(family));
  route.rtm_dst_len = static_cast<unsigned char>(8 * to.bytes().size());
  route.rtm_flags = flags;
  Buffer message(NLMSG_SPACE(sizeof route));
  append(message, RTA_DST, to.bytes());
  std::array<std::uint8_t, sizeof interface> index{};
  std::memcpy(index.data(), &interface, index.size());
  if (interface != 0) append(message, RTA_OIF, index);
  head.nlmsg_len = static_cast<std::uint32_t>(message.size());
  std::memcpy(message.data(), &head, sizeof head);
  std::memcpy(message.data() + NLMSG_HDRLEN, &route, sizeof route);
  return message;
}

/// What stands at the beginning, if there is so much of it.
template <class T>
std::optional<T> front(ByteView bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::optional<IpAddress> address_of(ByteView value) {
  if (const auto v6 = front<in6_addr>(value)) return from_in6_addr(*v6);
  if (const auto v4 = front<in_addr>(value)) return from_in_addr(*v4);
  return std::nullopt;
}

ByteView after(ByteView bytes, std::size_t length) { return bytes.subspan(std::min(length, bytes.size())); }

/// None: an error, most often that there is no route.
std::optional<Route> parse(ByteView answer) {
  const auto head = front<nlmsghdr>(answer);
  if (!head || head->nlmsg_type != RTM_NEWROUTE || head->nlmsg_len > answer.size()) return std::nullopt;
  Route out;
  ByteView attributes = after(answer.first(head->nlmsg_len), NLMSG_SPACE(sizeof(rtmsg)));
  for (auto a = front<rtattr>(attributes); a && a->rta_len >= sizeof *a && a->rta_len <= attributes.size();
       a = front<rtattr>(attributes)) {
    const ByteView value = after(attributes.first(a->rta_len), RTA_LENGTH(0));
    if (a->rta_type == RTA_GATEWAY) out.gateway = address_of(value);
    if (a->rta_type == RTA_PREFSRC) out.source = address_of(value);
    if (a->rta_type == RTA_OIF) out.interface = front<unsigned>(value).value_or(0);
    if (a->rta_type == RTA_PRIORITY) out.metric = front<std::uint32_t>(value).value_or(0);
    attributes = after(attributes, RTA_ALIGN(a->rta_len));
  }
  return out;
}

/// `interface`: 0 for any.
Result<std::optional<Route>> look_up(const Fd& fd, Family family, unsigned interface, unsigned flags = 0) {
  const Buffer asked = question(family, interface, flags);
  std::array<std::uint8_t, 4096> answer{};
  // The kernel has answered by the time that send returns.
  if (send(fd.get(), asked.data(), asked.size(), 0) < 0)
    return tl::unexpected(system_error("the way out of this machine can't be asked for"));
  const auto size = recv(fd.get(), answer.data(), answer.size(), MSG_DONTWAIT);
  if (size < 0) return tl::unexpected(system_error("the way out of this machine can't be read"));
  return parse(ByteView{answer}.first(static_cast<std::size_t>(size)));
}

/// The best by any other interface. The kernel takes an interface that it is told to be the way for one, even without a
/// route: then there is no gateway in its answer.
Result<std::optional<Route>> by_another(const Fd& fd, Family family, const std::vector<std::string>& exclude) {
  const std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> all{if_nameindex(), &if_freenameindex};
  if (!all) return tl::unexpected(system_error("the interfaces of this machine can't be read"));
  std::optional<Route> best;
  std::size_t asked = 0;
  for (const struct if_nameindex* i = all.get(); i->if_index != 0 && asked < kMaxInterfaces; ++i) {
    if (fits(i->if_name, exclude)) continue;
    ++asked;
    const auto route = look_up(fd, family, i->if_index);
    const auto in_table = look_up(fd, family, i->if_index, RTM_F_FIB_MATCH);  // the other does not tell the metric
    if (!route || !in_table) return route ? in_table : route;
    if (!*route || !(*route)->gateway || !*in_table) continue;
    if (!best || (*in_table)->metric < best->metric) {
      best = **route;
      best->metric = (*in_table)->metric;
    }
  }
  return best;
}

}  // namespace

bool fits(const char* interface, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const auto& p) { return fnmatch(p.c_str(), interface, 0) == 0; });
}

Result<std::optional<event::Gateway>> read_gateway(Family family, const std::vector<std::string>& exclude) {
  const Fd fd{socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!fd) return tl::unexpected(system_error("the way out of this machine can't be asked for"));
  auto route = look_up(fd, family, 0);
  if (!route) return tl::unexpected(route.error());
  std::array<char, IF_NAMESIZE> name{};
  if (*route && if_indextoname((*route)->interface, name.data()) != nullptr && fits(name.data(), exclude)) {
    route = by_another(fd, family, exclude);
    if (!route) return tl::unexpected(route.error());
  }
  if (!*route || !(*route)->gateway || !(*route)->source) return std::optional<event::Gateway>{};
  return std::optional{event::Gateway{*(*route)->gateway, *(*route)->source}};
}

bool concerns_the_way_out(ByteView messages) {
  bool any = false;
  for (auto head = front<nlmsghdr>(messages); head; head = front<nlmsghdr>(messages), any = true) {
    if (head->nlmsg_len < sizeof *head || head->nlmsg_len > messages.size()) return true;  // cut off
    if (head->nlmsg_type != RTM_NEWROUTE && head->nlmsg_type != RTM_DELROUTE) return true;
    const auto route = front<rtmsg>(after(messages.first(head->nlmsg_len), NLMSG_HDRLEN));
    if (!route || route->rtm_dst_len <= kWide) return true;
    messages = after(messages, NLMSG_ALIGN(head->nlmsg_len));
  }
  return !any;
}

}  // namespace pw::io
