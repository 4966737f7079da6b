// forwarder: the least that forwarding UDP packets takes: recvmmsg, one look into a table, and sendmmsg in which packets in
// a row to one place leave as segments of one (UDP_SEGMENT). It checks nothing, encrypts nothing and counts nothing.
//
//   forwarder PORT
//
// A packet of eight bytes is a number, and says where packets that begin with this number go. Runs until it is killed.
#include <netinet/udp.h>
#include <poll.h>

#include <cstring>
#include <vector>

#include "load.hpp"

namespace {

using namespace pw::bench;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxSegments = 40;  // of 1200 bytes in one datagram of 64 kB
constexpr std::size_t kBuffer = 2048;

struct Control {
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: forwarder PORT\n");
    return 2;
  }
  const int fd = open_socket({127, 0, 0, 1}, static_cast<std::uint16_t>(std::atoi(argv[1])));
  std::vector<sockaddr_in> places;
  static std::array<std::array<std::uint8_t, kBuffer>, kBatch> buffers;
  static std::array<mmsghdr, kBatch> in, out;
  static std::array<iovec, kBatch> vectors, segments;
  static std::array<sockaddr_in, kBatch> from;
  static std::array<Control, kBatch> controls;
  for (;;) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {buffers[i].data(), kBuffer};
      in[i].msg_hdr = {&from[i], sizeof from[i], &vectors[i], 1, nullptr, 0, 0};
    }
    const int n = ::recvmmsg(fd, in.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (n <= 0) {
      pollfd waits{fd, POLLIN, 0};
      ::poll(&waits, 1, -1);
      continue;
    }
    std::size_t used = 0, count = 0, last = ~std::size_t{0};
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      std::size_t number = 0;
      std::memcpy(&number, buffers[i].data(), sizeof number);
      const std::size_t size = in[i].msg_len;
      if (size == sizeof number) {
        if (number >= places.size()) places.resize(number + 1);
        places[number] = from[i];
        continue;
      }
      if (number >= places.size()) continue;
      segments[used] = {buffers[i].data(), size};
      msghdr* const before = count > 0 ? &out[count - 1].msg_hdr : nullptr;
      if (before != nullptr && last == number && size == kPacket && before->msg_iovlen < kMaxSegments) {
        ++before->msg_iovlen;
        before->msg_control = controls[count - 1].bytes.data();
        before->msg_controllen = CMSG_SPACE(sizeof(std::uint16_t));
        cmsghdr* c = CMSG_FIRSTHDR(before);
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const std::uint16_t segment = kPacket;
        std::memcpy(CMSG_DATA(c), &segment, sizeof segment);
      } else {
        out[count++].msg_hdr = {&places[number], sizeof(sockaddr_in), &segments[used], 1, nullptr, 0, 0};
      }
      last = number;
      ++used;
    }
    for (std::size_t done = 0; done < count;) {
      const int sent = ::sendmmsg(fd, &out[done], static_cast<unsigned>(count - done), 0);
      if (sent <= 0) break;  // a full socket loses it
      done += static_cast<std::size_t>(sent);
    }
  }
}
