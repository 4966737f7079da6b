// swarm: many nodes in one process, as the peers of one real daemon that is being measured. Each has its own key, its
// own UDP port on an address of its own (127.1.x.y: a limit per source must not see one client), and one peer: the
// target.
//
//   swarm COUNT TARGET_ID TARGET_HOST:PORT PROBE_INTERVAL_MS
//
// Prints one line "ID ADDRESS" for each node, then "ready", and runs until its standard input closes.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/deadlines.hpp"
#include "mesh/node.hpp"

namespace {

using namespace pw;

constexpr std::uint16_t kPort = 9470;
constexpr int kDatagramsPerTurn = 16;  // of one node, before others get their turn

Instant clock_now() { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

IpAddress address_of(std::size_t number) {
  return IpAddress::v4({127, 1, static_cast<std::uint8_t>(number / 250), static_cast<std::uint8_t>(number % 250 + 1)});
}

sockaddr_in to_sockaddr(const SocketAddress& address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(address.port);
  std::ranges::copy(address.ip.bytes(), reinterpret_cast<std::uint8_t*>(&out.sin_addr));
  return out;
}

SocketAddress from_sockaddr(const sockaddr_in& in) {
  std::array<std::uint8_t, 4> ip{};
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&in.sin_addr), 4, ip.begin());
  return {IpAddress::v4(ip), ntohs(in.sin_port)};
}

int open_socket(const SocketAddress& address) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const sockaddr_in local = to_sockaddr(address);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) give_up("swarm: socket");
  return fd;
}

class Member {
 public:
  Member(std::size_t number, const peer::Membership& membership)
      : address_{address_of(number), kPort}, identity_{make_identity(number)}, fd_{open_socket(address_)} {
    mesh::Options options;
    options.peer.software = "swarm";
    node_ = std::make_unique<mesh::Node>(clock_now(), std::move(options), identity_, Rng{number + 1});
    std::printf("%s %s\n", identity_.id().to_string().c_str(), address_.to_string().c_str());
    node_->configure(clock_now(), membership);
  }

  int fd() const { return fd_; }

  void receive() {
    std::array<std::uint8_t, 2048> bytes;
    for (int n = 0; n < kDatagramsPerTurn; ++n) {
      sockaddr_in from{};
      socklen_t length = sizeof from;
      const auto size = ::recvfrom(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size < 0) return;
      const Instant now = clock_now();
      node_->handle_datagram(now, now, {address_.ip, from_sockaddr(from)},
                             ByteView{bytes}.first(static_cast<std::size_t>(size)));
    }
  }

  void timeout() { node_->handle_timeout(clock_now()); }

  /// What a driver owes the core after every input. Returns when it wants to be woken.
  Instant drain() {
    while (const auto transmit = node_->poll_transmit()) send(*transmit);
    while (node_->poll_event()) {
    }
    while (node_->poll_request()) {
    }
    while (node_->poll_reply()) {
    }
    return node_->poll_timeout();
  }

 private:
  static quic::Identity make_identity(std::size_t number) {
    quic::Identity::Seed seed{};
    for (std::size_t i = 0; i < 8; ++i) seed[i] = static_cast<std::uint8_t>(number >> (8 * i));
    seed[31] = 1;
    auto identity = quic::Identity::from_seed(seed);
    PW_CHECK(identity.has_value());
    return std::move(*identity);
  }

  void send(const Transmit& transmit) {
    const sockaddr_in to = to_sockaddr(transmit.path.remote);
    ByteView rest{transmit.bytes};
    while (!rest.empty()) {
      const std::size_t size = transmit.segment_size == 0 ? rest.size() : std::min(transmit.segment_size, rest.size());
      // A full socket loses it, as any network would.
      static_cast<void>(::sendto(fd_, rest.data(), size, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to));
      rest = rest.subspan(size);
    }
  }

  SocketAddress address_;
  quic::Identity identity_;
  int fd_;
  std::unique_ptr<mesh::Node> node_;
};

void allow_many_sockets() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) give_up("swarm: getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) give_up("swarm: setrlimit");
}

void watch(int poller, int fd, std::uint64_t name) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = name;
  if (::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) give_up("swarm: epoll");
}

constexpr std::uint64_t kInput = ~0ULL;

void run(std::vector<std::unique_ptr<Member>>& members) {
  const int poller = ::epoll_create1(EPOLL_CLOEXEC);
  watch(poller, STDIN_FILENO, kInput);
  for (std::size_t i = 0; i < members.size(); ++i) watch(poller, members[i]->fd(), i);
  Deadlines<std::size_t> deadlines;
  for (std::size_t i = 0; i < members.size(); ++i) deadlines.set(i, members[i]->drain());
  std::array<epoll_event, 256> events;
  for (;;) {
    const Duration left = deadlines.earliest() == kNever ? 1s : deadlines.earliest() - clock_now();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::clamp<Duration>(left, 0ms, 1s)).count();
    const int count = ::epoll_wait(poller, events.data(), static_cast<int>(events.size()), static_cast<int>(wait));
    for (int n = 0; n < count; ++n) {
      const std::uint64_t name = events[static_cast<std::size_t>(n)].data.u64;
      if (name == kInput) return;
      members[name]->receive();
      deadlines.set(name, members[name]->drain());
    }
    while (const std::size_t* due = deadlines.due(clock_now())) {
      const std::size_t member = *due;
      members[member]->timeout();
      deadlines.set(member, members[member]->drain());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: swarm COUNT TARGET_ID TARGET_HOST:PORT PROBE_INTERVAL_MS\n");
    return 2;
  }
  const auto id = PeerId::parse(argv[2]);
  const auto address = HostPort::parse(argv[3]);
  if (!id || !address) {
    std::fprintf(stderr, "swarm: %s\n", (!id ? id.error() : address.error()).detail.c_str());
    return 2;
  }
  allow_many_sockets();
  peer::Membership membership;
  membership.peers = {{.id = *id, .name = "target", .always_label = false, .addresses = {*address}}};
  membership.probe.datagram_interval = std::chrono::milliseconds{std::atoi(argv[4])};
  std::vector<std::unique_ptr<Member>> members;
  for (std::size_t i = 0; i < std::strtoull(argv[1], nullptr, 10); ++i)
    members.push_back(std::make_unique<Member>(i, membership));
  std::printf("ready\n");
  std::fflush(stdout);
  run(members);
}
