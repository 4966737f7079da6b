// Doorbell: wakes a thread that polls, from any other.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/check.hpp"
#include "io/fd.hpp"

namespace pw::app {

class Doorbell {
 public:
  Doorbell() : fd_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} { PW_CHECK(fd_); }
  int fd() const { return fd_.get(); }
  void ring() {
    const std::uint64_t one = 1;
    // It fails only when the counter is full: then it rings already.
    [[maybe_unused]] const auto n = ::write(fd_.get(), &one, sizeof one);
  }
  void quiet() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(fd_.get(), &count, sizeof count);
  }

 private:
  io::Fd fd_;
};

}  // namespace pw::app
