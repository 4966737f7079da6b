// The kernel's refusals, which loopback never shows: a sendmmsg of our own gives them one after another.
#include "io/transmit_queue.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <deque>

namespace pw::io {
namespace {

using State = TransmitQueue::State;

/// A kernel: one step a call, either an errno (negative) or the most messages that it takes.
struct Kernel {
  explicit Kernel(std::deque<int> s, bool refuses = false) : steps{std::move(s)}, refuses_segments{refuses} {}

  std::deque<int> steps;
  bool refuses_segments;
  std::vector<std::size_t> sizes;  // of what it took
  std::vector<bool> segmented;

  static bool asks_for_segments(const msghdr& m) {
    for (cmsghdr* c = m.msg_control == nullptr ? nullptr : CMSG_FIRSTHDR(&m); c != nullptr;
         c = CMSG_NXTHDR(const_cast<msghdr*>(&m), c))
      if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT) return true;
    return false;
  }

  int send(mmsghdr* messages, unsigned count) {
    int most = static_cast<int>(count);
    if (!steps.empty()) {
      const int step = steps.front();
      steps.pop_front();
      if (step < 0) {
        errno = -step;
        return -1;
      }
      most = std::min(most, step);
    }
    int taken = 0;
    for (; taken < most; ++taken) {
      const msghdr& m = messages[taken].msg_hdr;
      if (refuses_segments && asks_for_segments(m)) break;
      sizes.push_back(m.msg_iov->iov_len);
      segmented.push_back(asks_for_segments(m));
    }
    if (taken == 0) {
      errno = EIO;
      return -1;
    }
    return taken;
  }
};

TransmitQueue queue_on(Kernel& kernel) {
  return TransmitQueue{3, make_send_batch(), [&](int, mmsghdr* m, unsigned n, int) { return kernel.send(m, n); }};
}

Transmit packet(std::size_t size, std::size_t segment = 0, const char* to = "192.0.2.1:9470") {
  return {{*IpAddress::parse("192.0.2.9"), *SocketAddress::parse(to)}, Buffer(size), segment};
}

TEST_CASE("what the kernel takes only in part goes out in the same flush") {
  Kernel kernel{{2, 1}};
  auto queue = queue_on(kernel);
  for (std::size_t size = 1; size <= 5; ++size) queue.push(packet(size));
  CHECK(queue.flush() == State::empty);
  CHECK(kernel.sizes == std::vector<std::size_t>{1, 2, 3, 4, 5});
  CHECK(queue.counts().sent == 5);
  CHECK(queue.size() == 0);
}

TEST_CASE("a full socket buffer keeps the rest, in order, until it is writable") {
  Kernel kernel{{1, -EAGAIN}};
  auto queue = queue_on(kernel);
  for (std::size_t size = 1; size <= 3; ++size) queue.push(packet(size));
  CHECK(queue.flush() == State::blocked);
  CHECK(queue.size() == 2);
  CHECK(queue.flush() == State::empty);
  CHECK(kernel.sizes == std::vector<std::size_t>{1, 2, 3});
  CHECK(queue.counts().failed == 0);
}

TEST_CASE("a machine out of buffers is not a full socket") {
  Kernel kernel{{-ENOBUFS}};
  auto queue = queue_on(kernel);
  queue.push(packet(1));
  CHECK(queue.flush() == State::congested);
  CHECK(queue.flush() == State::empty);
}

TEST_CASE("a signal in between changes nothing") {
  Kernel kernel{{-EINTR}};
  auto queue = queue_on(kernel);
  queue.push(packet(1));
  CHECK(queue.flush() == State::empty);
  CHECK(queue.counts().sent == 1);
}

TEST_CASE("a refused packet doesn't hold up those behind it, and is told once an errno") {
  Kernel kernel{{-ENETUNREACH, -EPERM, -ENETUNREACH}};
  auto queue = queue_on(kernel);
  queue.push(packet(1, 0, "192.0.2.1:1"));
  queue.push(packet(2, 0, "192.0.2.2:2"));
  queue.push(packet(3, 0, "192.0.2.3:3"));
  queue.push(packet(4, 0, "192.0.2.4:4"));
  CHECK(queue.flush() == State::empty);
  CHECK(kernel.sizes == std::vector<std::size_t>{4});
  CHECK(queue.counts().failed == 3);
  const auto failures = queue.take_failures();
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].error == ENETUNREACH);
  CHECK(failures[0].count == 2);
  CHECK(failures[0].to.to_string() == "192.0.2.1:1");
  CHECK(failures[1].error == EPERM);
  CHECK(queue.take_failures().empty());
}

TEST_CASE("a kernel that can't segment gets the segments one by one, and is not asked again") {
  Kernel kernel{{}, true};
  auto queue = queue_on(kernel);
  queue.push(packet(2500, 1200));
  queue.push(packet(7));
  queue.push(packet(1300, 1200));
  CHECK(queue.flush() == State::empty);
  CHECK(kernel.sizes == std::vector<std::size_t>{1200, 1200, 100, 7, 1200, 100});
  CHECK_FALSE(queue.segmentation());
  CHECK(queue.counts().sent == 6);
  CHECK(queue.counts().failed == 0);
  CHECK(queue.size() == 0);
}

TEST_CASE("segments that are refused apart too don't condemn segmentation") {
  Kernel kernel{{-EINVAL, -EINVAL}};
  auto queue = queue_on(kernel);
  queue.push(packet(2500, 1200));
  queue.push(packet(2400, 1200));
  CHECK(queue.flush() == State::empty);
  CHECK(queue.segmentation());
  CHECK(queue.counts().failed == 3);
  CHECK(queue.counts().sent == 2);
  CHECK(kernel.segmented == std::vector<bool>{true});
}

TEST_CASE("a buffer that fills in the midst of segments loses none and repeats none") {
  Kernel kernel{{-EIO, 1, -EAGAIN}, true};
  auto queue = queue_on(kernel);
  queue.push(packet(2500, 1200));
  CHECK(queue.flush() == State::blocked);
  CHECK(queue.size() == 2);
  CHECK(queue.flush() == State::empty);
  CHECK(kernel.sizes == std::vector<std::size_t>{1200, 1200, 100});
  CHECK(queue.counts().sent == 3);
  CHECK(queue.size() == 0);
}

TEST_CASE("the queue is bounded in datagrams, and counts what it drops") {
  Kernel kernel{{-EAGAIN}};
  auto queue = queue_on(kernel);
  for (std::size_t i = 0; i < kMaxQueuedDatagrams + 10; ++i) queue.push(packet(1));
  CHECK(queue.flush() == State::blocked);
  CHECK(queue.size() == kMaxQueuedDatagrams);
  CHECK(queue.counts().overflow == 10);
  queue.push(packet(2400, 1200));
  CHECK(queue.counts().overflow == 12);
  CHECK(queue.flush() == State::empty);
  CHECK(queue.counts().sent == kMaxQueuedDatagrams);
}

TEST_CASE("the queue is bounded in bytes") {
  Kernel kernel{{-EAGAIN}};
  auto queue = queue_on(kernel);
  std::size_t bytes = 0;
  while (queue.counts().overflow == 0) {
    queue.push(packet(60000));
    bytes += 60000;
    REQUIRE(bytes < 2 * kMaxQueuedBytes);
  }
  CHECK(bytes > kMaxQueuedBytes);
  CHECK(queue.counts().overflow == 1);
  CHECK(queue.size() < kMaxQueuedDatagrams);
}

}  // namespace
}  // namespace pw::io
