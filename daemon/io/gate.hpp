// Gate: by which other threads hand work to the network thread, for as long as that takes any.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <mutex>
#include <utility>

namespace pw::io {

class Gate {
 public:
  explicit Gate(boost::asio::io_context& context) : context_{context} {}

  /// False: closed, and `work` is never run.
  template <class Work>
  bool enqueue(Work work) {
    const std::scoped_lock lock{mutex_};
    if (!closed_) boost::asio::post(context_, std::move(work));
    return !closed_;
  }
  void close() {
    const std::scoped_lock lock{mutex_};
    closed_ = true;
  }

 private:
  boost::asio::io_context& context_;
  std::mutex mutex_;
  bool closed_ = false;
};

/// One more of what may be `most` at once; false: there are as many.
inline bool enter(std::atomic<std::size_t>& count, std::size_t most) {
  if (count.fetch_add(1) < most) return true;
  count.fetch_sub(1);
  return false;
}

}  // namespace pw::io
