// Keeps one UDP port mapped at a real gateway by nat::PortMapping and io::Upnp, without a daemon around them.
//
//   port_mapping_client GATEWAY OWN PORT [without-pcp]
//
// without-pcp: what it sends in PCP is lost, as where the gateway does not know it and keeps silent.
// Says on standard output what is mapped whenever that changes: "mapped PROTOCOL ADDRESS:PORT" or "nothing", each with the
// state of every protocol. Takes "check" and "release" on standard input; ends after the latter, or when it is closed.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "io/clock.hpp"
#include "io/fd.hpp"
#include "io/sockaddr.hpp"
#include "io/upnp.hpp"
#include "nat/port_mapping.hpp"

namespace {

using namespace pw;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "port_mapping_client: %s\n", why.c_str());
  std::exit(2);
}

/// Answers of UPnP on their way from its thread, and a pipe that wakes the loop up.
struct Answers {
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, io::UpnpAnswer>> all;
  std::array<int, 2> pipe{};

  Answers() {
    if (::pipe(pipe.data()) != 0) die("no pipe");
  }
  void put(std::uint64_t id, const io::UpnpAnswer& answer) {
    const std::scoped_lock lock{mutex};
    all.emplace_back(id, answer);
    if (write(pipe[1], "", 1) != 1) die("the pipe is full");
  }
  std::vector<std::pair<std::uint64_t, io::UpnpAnswer>> take() {
    const std::scoped_lock lock{mutex};
    char one = 0;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (read(pipe[0], &one, 1) != 1) die("the pipe is empty");
    return std::exchange(all, {});
  }
};

io::Fd open_socket(const IpAddress& own) {
  io::Fd fd{socket(io::domain_of(own.family()), SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_storage address{};
  const socklen_t length = io::to_sockaddr({own, 0}, address);
  if (fd.get() < 0 || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) die("no socket");
  return fd;
}

std::string describe(const nat::PortMapping& mapping) {
  const auto& m = mapping.mapping();
  std::string text = m ? "mapped " + std::string{name(m->protocol)} + " " + m->external.to_string() : "nothing";
  for (std::size_t i = 0; i < enum_count<nat::MappingProtocol>(); ++i) {
    const auto protocol = static_cast<nat::MappingProtocol>(i);
    const nat::MappingReport& r = mapping.report(protocol);
    text += " " + std::string{name(protocol)} + "=" + std::string{name(r.state)} + "/" + std::string{name(r.error)};
  }
  return text;
}

int run(const nat::Gateway& gateway, std::uint16_t port, bool without_pcp) {
  const io::Fd socket = open_socket(gateway.own);
  Answers answers;
  io::Upnp upnp{[&](std::uint64_t id, const io::UpnpAnswer& answer) { answers.put(id, answer); }};
  nat::PortMapping mapping{{.port = port}, Rng{io::entropy()}};
  mapping.handle_gateway(io::Clock::now(), gateway);
  std::string said;
  bool released = false;
  for (;;) {
    while (const auto t = mapping.poll_transmit()) {
      if (without_pcp && t->bytes.front() == 2) continue;  // its version
      sockaddr_storage to{};
      const socklen_t length = io::to_sockaddr(t->to, to);
      // A gateway that is not listening refuses: as good as silent.
      static_cast<void>(sendto(socket.get(), t->bytes.data(), t->bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), length));
    }
    while (const auto request = mapping.poll_request()) {
      if (const auto* map = std::get_if<nat::UpnpMap>(&*request))
        upnp.map(map->id, {map->gateway, map->own, map->wanted_port, map->lifetime});
      else
        upnp.unmap({gateway.address, {gateway.own, port}, std::get<nat::UpnpUnmap>(*request).outer_port, {}});
    }
    if (const std::string now_said = describe(mapping); now_said != said) {
      std::puts(now_said.c_str());
      std::fflush(stdout);
      said = now_said;
    }
    if (released) return 0;

    std::array<pollfd, 3> wait{pollfd{socket.get(), POLLIN, 0}, pollfd{answers.pipe[0], POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
    const Instant due = mapping.poll_timeout();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - io::Clock::now()).count() + 1;
    if (poll(wait.data(), wait.size(), due == kNever ? -1 : static_cast<int>(std::clamp<std::int64_t>(left, 0, 60000))) < 0)
      die("poll");
    const Instant now = io::Clock::now();
    if (wait[0].revents != 0) {
      std::array<std::uint8_t, 2048> bytes{};
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      const ssize_t n = recvfrom(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (n >= 0) mapping.handle_datagram(now, io::from_sockaddr(from), ByteView{bytes}.first(static_cast<std::size_t>(n)));
    }
    if (wait[1].revents != 0)
      for (const auto& [id, a] : answers.take()) mapping.handle_upnp(now, {id, a.code, a.external, a.lifetime});
    if (wait[2].revents != 0) {
      std::array<char, 64> text{};
      const ssize_t n = read(STDIN_FILENO, text.data(), text.size());
      const std::string command{text.data(), n > 0 ? static_cast<std::size_t>(n) : 0U};
      if (command == "check\n") mapping.check(now);
      released = command.empty() || command == "release\n";
      if (released) mapping.release(now);
    }
    if (!released && mapping.poll_timeout() <= now) mapping.handle_timeout(now);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const bool without_pcp = count == 5 && std::string{arguments[4]} == "without-pcp";
  if (count != 4 && !without_pcp) die("usage: port_mapping_client GATEWAY OWN PORT [without-pcp]");
  const auto gateway = IpAddress::parse(arguments[1]);
  const auto own = IpAddress::parse(arguments[2]);
  const int port = std::atoi(arguments[3]);
  if (!gateway || !own || port <= 0 || port > 65535) die("bad arguments");
  return run({*gateway, *own}, static_cast<std::uint16_t>(port), without_pcp);
}
