#include "observe/line_queue.hpp"

#include <poll.h>
#include <signal.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

namespace pw::observe {
namespace {

/// Writes to a descriptor that may be slow, full or gone; never throws. Runs on the queue's one thread only.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit DescriptorSink(int fd) : fd_{fd} {}

  std::uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }
  std::uint64_t done() const { return done_.load(std::memory_order_acquire); }
  /// Every line from now on is given up at once.
  void abandon() { abandoned_.store(true, std::memory_order_relaxed); }

 private:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    if (!write_all({msg.payload.data(), msg.payload.size()})) failed_.fetch_add(1, std::memory_order_relaxed);
    done_.fetch_add(1, std::memory_order_release);
  }
  void flush_() override {}

  bool write_all(std::string_view line) {
    while (!line.empty()) {
      if (abandoned_.load(std::memory_order_relaxed) || !writable()) return false;
      const ssize_t n = ::write(fd_, line.data(), line.size());
      if (n > 0)
        line.remove_prefix(static_cast<std::size_t>(n));
      else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        return false;
    }
    return true;
  }

  /// A pipe that polls as writable takes PIPE_BUF bytes without blocking (pipe(7)), and no line is longer.
  bool writable() const {
    pollfd wanted{fd_, POLLOUT, 0};
    constexpr int kMilliseconds = static_cast<int>(LineQueue::kPatience / 1ms);
    const int ready = ::poll(&wanted, 1, kMilliseconds);
    return ready > 0 && (wanted.revents & POLLOUT) != 0;
  }

  int fd_;
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> abandoned_{false};
};

/// The daemon's signals go to its other threads; a pipe whose reader has gone gives EPIPE instead of the end.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct LineQueue::Impl {
  Impl(int fd, std::size_t lines)
      : sink{std::make_shared<DescriptorSink>(fd)},
        pool{std::make_shared<spdlog::details::thread_pool>(lines, 1, block_signals)},
        logger{std::make_shared<spdlog::async_logger>("peerwatch", sink, pool,
                                                      spdlog::async_overflow_policy::overrun_oldest)} {
    logger->set_level(spdlog::level::trace);
    logger->set_error_handler([this](const std::string&) { errors.fetch_add(1, std::memory_order_relaxed); });
  }

  std::shared_ptr<DescriptorSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
  std::atomic<std::uint64_t> pushed{0};
  std::atomic<std::uint64_t> errors{0};
};

LineQueue::LineQueue(int fd, std::size_t lines) : impl_{std::make_unique<Impl>(fd, lines)} {}

LineQueue::~LineQueue() {
  // The pool's own destructor would wait for a blocked descriptor, line by line.
  const auto give_up = std::chrono::steady_clock::now() + kGoodbye;
  const auto done = [&] { return impl_->sink->done() + impl_->pool->overrun_counter() + impl_->errors.load(); };
  while (done() < impl_->pushed.load() && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  impl_->sink->abandon();
}

void LineQueue::push(std::string_view line) {
  impl_->pushed.fetch_add(1, std::memory_order_relaxed);
  impl_->logger->log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
}

std::uint64_t LineQueue::dropped() const {
  return impl_->sink->failed() + impl_->pool->overrun_counter() + impl_->errors.load(std::memory_order_relaxed);
}

}  // namespace pw::observe
