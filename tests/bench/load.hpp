// What the load generators of the relay's benchmark share: sockets on loopback, a pace, and the dialogue with bench.py:
// "ready" when everything is set up, then a line on standard input begins the load, and the last line is what came of it.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

namespace pw::bench {

using Clock = std::chrono::steady_clock;

inline constexpr std::size_t kPacket = 1200;  // of a peer's QUIC: what a relay carries
inline constexpr auto kTick = std::chrono::milliseconds{1};

[[noreturn]] inline void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

inline sockaddr_in to_sockaddr(const std::array<std::uint8_t, 4>& ip, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  std::ranges::copy(ip, reinterpret_cast<std::uint8_t*>(&out.sin_addr));
  return out;
}

inline int open_socket(const std::array<std::uint8_t, 4>& ip, std::uint16_t port = 0) {
  constexpr int kBuffer = 4 << 20;
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_in local = to_sockaddr(ip, port);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) give_up("socket");
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer) != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kBuffer, sizeof kBuffer);
  return fd;
}

struct Load {
  std::size_t pairs = 1;
  double packets_per_second = 1000;  // of all pairs together
  double seconds = 1;
};

inline void await_go() {
  std::printf("ready\n");
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
}

/// How many packets are due by now, in all; what a late turn missed is made up for by 10 ms at most.
class Pace {
 public:
  explicit Pace(double per_second) : per_second_{per_second}, last_{Clock::now()} {}
  std::size_t due() {
    const auto now = Clock::now();
    const double elapsed = std::min(std::chrono::duration<double>(now - last_).count(), 0.01);
    last_ = now;
    owed_ += elapsed * per_second_;
    const auto n = static_cast<std::size_t>(owed_);
    owed_ -= static_cast<double>(n);
    return n;
  }

 private:
  double per_second_;
  double owed_ = 0;
  Clock::time_point last_;
};

inline void report(double seconds, std::uint64_t sent, std::uint64_t received) {
  std::printf("{\"seconds\": %.3f, \"sent\": %llu, \"received\": %llu}\n", seconds,
              static_cast<unsigned long long>(sent), static_cast<unsigned long long>(received));
  std::fflush(stdout);
}

}  // namespace pw::bench
