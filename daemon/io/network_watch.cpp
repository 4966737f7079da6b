#include "io/network_watch.hpp"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "io/fd.hpp"
#include "io/routes.hpp"
#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

Error system_error(const std::string& what) { return {what + ": " + std::strerror(errno)}; }

/// Nothing: of neither family.
std::optional<IpAddress> address_of(const ifaddrs& i) {
  if (i.ifa_addr == nullptr) return std::nullopt;
  const auto family = i.ifa_addr->sa_family;
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  sockaddr_storage storage{};
  std::memcpy(&storage, i.ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  return from_sockaddr(storage).ip;
}

bool is_excluded(const ifaddrs& i, const std::vector<std::string>& patterns) {
  return (i.ifa_flags & IFF_LOOPBACK) != 0 || fits(i.ifa_name, patterns);
}

}  // namespace

Result<event::Interfaces> read_interfaces(const std::vector<std::string>& exclude) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return tl::unexpected(system_error("the addresses of this machine can't be read"));
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all{first, &freeifaddrs};
  event::Interfaces out;
  constexpr unsigned kWorks = IFF_UP | IFF_RUNNING;  // RUNNING: with a carrier
  for (const ifaddrs* i = all.get(); i != nullptr; i = i->ifa_next) {
    const auto ip = address_of(*i);
    if (!ip || (i->ifa_flags & kWorks) != kWorks) continue;
    if (ip->family() == Family::v6 && ip->is_link_local()) continue;
    out.push_back({i->ifa_name, *ip, is_excluded(*i, exclude)});
  }
  std::ranges::sort(out);
  const auto copies = std::ranges::unique(out);
  out.erase(copies.begin(), copies.end());
  return out;
}

Result<Network> read_network(const std::vector<std::string>& exclude) {
  auto interfaces = read_interfaces(exclude);
  if (!interfaces) return tl::unexpected(std::move(interfaces.error()));
  auto v4 = read_gateway(Family::v4, exclude);
  if (!v4) return tl::unexpected(std::move(v4.error()));
  auto v6 = read_gateway(Family::v6, exclude);
  if (!v6) return tl::unexpected(std::move(v6.error()));
  return Network{std::move(*interfaces), std::move(*v4), std::move(*v6)};
}

NetworkWatch::NetworkWatch(boost::asio::io_context& context, Read read, Tell tell)
    : read_{std::move(read)}, tell_{std::move(tell)}, descriptor_{context}, settle_{context} {}

Status NetworkWatch::start() {
  Fd fd{socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): as bind(2) wants it
  if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0)
    return tl::unexpected(system_error("changes of this machine's addresses can't be watched"));
  descriptor_.assign(fd.release());
  await_change();
  return {};
}

void NetworkWatch::stop() {
  boost::system::error_code ignored;  // that nothing was open
  descriptor_.close(ignored);
  settle_.cancel();
}

/// That some messages were lost (ENOBUFS) says what most do: something has changed.
void NetworkWatch::await_change() {
  descriptor_.async_read_some(boost::asio::buffer(messages_), [this](boost::system::error_code error, std::size_t size) {
    if (error == boost::asio::error::operation_aborted) return;
    if (error && error != boost::asio::error::no_buffer_space)
      return tell_(fail("changes of this machine's addresses are no longer noticed: " + error.message()));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes
    if (error || concerns_the_way_out({reinterpret_cast<const std::uint8_t*>(messages_.data()), size})) changed();
    await_change();
  });
}

void NetworkWatch::changed() {
  if (!std::exchange(settling_, true)) read_after(kSettle);
}

void NetworkWatch::read_after(Duration time) {
  settle_.expires_after(time);
  settle_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    settling_ = false;
    tell_(read());
  });
}

Result<Network> NetworkWatch::read() {
  auto found = read_();
  if (!found && !std::exchange(settling_, true)) read_after(kAgain);
  return found;
}

}  // namespace pw::io
