// echo: the bare round trip on this machine that every other is compared with. Two threads, two blocking UDP sockets on
// loopback, one datagram of SIZE bytes every INTERVAL milliseconds; prints the median and the 90th percentile of COUNT
// in microseconds.
//
//   echo COUNT INTERVAL_MS SIZE
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

int bound_socket(sockaddr_in& address) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    give_up("echo: socket");
  return fd;
}

void answer(int fd, int count) {
  std::vector<char> bytes(65536);
  for (int n = 0; n < count; ++n) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const auto size = ::recvfrom(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 0 ||
        ::sendto(fd, bytes.data(), static_cast<std::size_t>(size), 0, reinterpret_cast<sockaddr*>(&from), length) < 0)
      give_up("echo: answer");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: echo COUNT INTERVAL_MS SIZE\n");
    return 2;
  }
  const int count = std::max(1, std::atoi(argv[1]));
  const std::chrono::milliseconds interval{std::atoi(argv[2])};
  std::vector<char> bytes(static_cast<std::size_t>(std::clamp(std::atoi(argv[3]), 1, 1400)));
  sockaddr_in there{}, here{};
  const int server = bound_socket(there);
  const int client = bound_socket(here);
  std::thread answerer{[server, count] { answer(server, count); }};
  std::vector<double> microseconds;
  for (int n = 0; n < count; ++n) {
    std::this_thread::sleep_for(interval);
    const auto sent = Clock::now();
    if (::sendto(client, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&there), sizeof there) < 0 ||
        ::recv(client, bytes.data(), bytes.size(), 0) < 0)
      give_up("echo: ask");
    microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - sent).count());
  }
  answerer.join();
  std::ranges::sort(microseconds);
  std::printf("%.1f %.1f\n", microseconds[microseconds.size() / 2], microseconds[microseconds.size() * 9 / 10]);
}
