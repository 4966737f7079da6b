// HttpThread: one thread with the HTTP server on it. Everything that the server touches lives on that thread; others
// post.
#pragma once

#include <functional>
#include <memory>

#include "base/result.hpp"
#include "base/time.hpp"
#include "http/server.hpp"

namespace pw::app {

class HttpThread {
 public:
  /// Listening, but not answering yet. The references outlive this.
  static Result<std::unique_ptr<HttpThread>> open(http::Options options, http::Backend& backend,
                                                  const observe::RecentEvents& recent, observe::HttpMetrics& metrics);
  ~HttpThread();

  void start();
  /// Any thread. Runs on the HTTP thread; never, if that has stopped.
  void post(std::function<void()> task);
  /// Any thread but its own. Finishes answers under way for at most `patience`; the control socket's file is gone then.
  void stop(Duration patience);
  /// On the HTTP thread.
  http::Server& server();

 private:
  struct Impl;
  explicit HttpThread(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pw::app
