// datagrams: packets of 1200 bytes through a forwarder, from one socket of each pair to the other, at a pace.
//
//   datagrams turn  PORT PAIRS PACKETS_PER_SECOND SECONDS     a TURN server (RFC 8656), by ChannelData
//   datagrams plain PORT PAIRS PACKETS_PER_SECOND SECONDS     bench_forwarder
//
// The server is at 127.0.0.1. Of TURN there is as much as an open server asks for: one allocation and one channel a pair.
#include <poll.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "load.hpp"

namespace {

using namespace pw::bench;

constexpr std::size_t kBatch = 64;
constexpr std::uint16_t kAllocate = 0x0003, kChannelBind = 0x0009, kSuccess = 0x0100;
constexpr std::uint32_t kCookie = 0x2112A442;
constexpr std::uint16_t kChannel = 0x4000;

struct Bytes {
  std::vector<std::uint8_t> data;
  Bytes& u16(unsigned v) {
    data.push_back(static_cast<std::uint8_t>(v >> 8));
    data.push_back(static_cast<std::uint8_t>(v));
    return *this;
  }
  Bytes& u32(std::uint32_t v) { return u16(v >> 16).u16(v & 0xffff); }
};

/// RFC 8489 section 5: header, transaction ID, attributes.
std::vector<std::uint8_t> message(unsigned method, std::uint32_t transaction, const Bytes& attributes) {
  Bytes m;
  m.u16(method).u16(static_cast<unsigned>(attributes.data.size())).u32(kCookie).u32(0).u32(0).u32(transaction);
  m.data.insert(m.data.end(), attributes.data.begin(), attributes.data.end());
  return m.data;
}

class Pair {
 public:
  Pair(std::size_t number, bool turn, const sockaddr_in& server) : turn_{turn}, server_{server} {
    const auto n = static_cast<std::uint8_t>(number + 1);
    source_ = open_socket({127, 3, 0, n});
    sink_ = open_socket({127, 4, 0, n});
    packet_.assign(kPacket, n);
    if (turn) {
      ask(kAllocate, Bytes{}.u16(0x0019).u16(4).u32(17U << 24));  // REQUESTED-TRANSPORT: UDP
      sockaddr_in sink{};
      socklen_t size = sizeof sink;
      ::getsockname(sink_, reinterpret_cast<sockaddr*>(&sink), &size);
      Bytes bind;
      bind.u16(0x000C).u16(4).u16(kChannel).u16(0);  // CHANNEL-NUMBER
      bind.u16(0x0012).u16(8).u16(1).u16(ntohs(sink.sin_port) ^ (kCookie >> 16)).u32(ntohl(sink.sin_addr.s_addr) ^ kCookie);
      ask(kChannelBind, bind);
      Bytes head;
      head.u16(kChannel).u16(kPacket);  // section 12.4: ChannelData
      packet_.insert(packet_.begin(), head.data.begin(), head.data.end());
    } else {
      // The forwarder keeps under its number where this came from; what begins with the number goes there.
      std::memcpy(packet_.data(), &number, sizeof number);
      ::sendto(sink_, &number, sizeof number, 0, reinterpret_cast<const sockaddr*>(&server_), sizeof server_);
    }
    if (::connect(source_, reinterpret_cast<const sockaddr*>(&server_), sizeof server_) != 0) give_up("connect");
  }

  void send(std::size_t n) {
    std::array<mmsghdr, kBatch> messages{};
    iovec vector{packet_.data(), packet_.size()};
    for (mmsghdr& m : messages) m.msg_hdr.msg_iov = &vector, m.msg_hdr.msg_iovlen = 1;
    while (n > 0) {
      const auto batch = static_cast<unsigned>(std::min(n, kBatch));
      const int done = ::sendmmsg(source_, messages.data(), batch, 0);
      if (done <= 0) return;  // a full socket loses it, as any network would
      sent += static_cast<std::uint64_t>(done);
      n -= static_cast<std::size_t>(done);
    }
  }
  void receive() {
    static std::array<std::array<std::uint8_t, 2048>, kBatch> buffers;
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> vectors;
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {buffers[i].data(), buffers[i].size()};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (;;) {
      const int n = ::recvmmsg(sink_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
      for (int i = 0; i < n; ++i) received += messages[static_cast<std::size_t>(i)].msg_len == kPacket ? 1 : 0;
      if (n < static_cast<int>(kBatch)) return;
    }
  }
  std::uint64_t sent = 0;
  std::uint64_t received = 0;

 private:
  /// Several times: the first may come too soon.
  void ask(unsigned method, const Bytes& attributes) {
    const auto request = message(method, method, attributes);
    for (int tries = 0; tries < 20; ++tries) {
      ::sendto(source_, request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&server_), sizeof server_);
      pollfd waits{source_, POLLIN, 0};
      if (::poll(&waits, 1, 500) != 1) continue;
      std::array<std::uint8_t, 1500> answer{};
      const auto size = ::recv(source_, answer.data(), answer.size(), 0);
      if (size >= 20 && ((answer[0] << 8) | answer[1]) == static_cast<int>(method | kSuccess)) return;
      std::fprintf(stderr, "datagrams: the TURN server answers %02x%02x\n", answer[0], answer[1]);
    }
    std::exit(1);
  }

  bool turn_;
  sockaddr_in server_;
  int source_;
  int sink_;
  std::vector<std::uint8_t> packet_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: datagrams turn|plain PORT PAIRS PACKETS_PER_SECOND SECONDS\n");
    return 2;
  }
  const auto server = to_sockaddr({127, 0, 0, 1}, static_cast<std::uint16_t>(std::atoi(argv[2])));
  const Load load{std::strtoull(argv[3], nullptr, 10), std::atof(argv[4]), std::atof(argv[5])};
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < load.pairs; ++i) pairs.emplace_back(i, std::string_view{argv[1]} == "turn", server);
  await_go();
  Pace pace{load.packets_per_second};
  const auto begin = Clock::now();
  std::size_t next = 0;
  for (auto tick = begin; Clock::now() - begin < std::chrono::duration<double>(load.seconds); tick += kTick) {
    const std::size_t due = pace.due();
    for (std::size_t i = 0; i < load.pairs; ++i) pairs[(next + i) % load.pairs].send((due + i) / load.pairs);
    next += due % load.pairs;
    for (Pair& pair : pairs) pair.receive();
    if (tick < Clock::now()) tick = Clock::now();
    std::this_thread::sleep_until(tick + kTick);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::this_thread::sleep_for(std::chrono::milliseconds{100});
  for (Pair& pair : pairs) pair.receive();
  std::uint64_t sent = 0, received = 0;
  for (const Pair& pair : pairs) sent += pair.sent, received += pair.received;
  report(seconds, sent, received);
}
