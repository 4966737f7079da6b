#include "app/http_thread.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <optional>
#include <thread>
#include <utility>

namespace pw::app {

namespace asio = boost::asio;

struct HttpThread::Impl {
  asio::io_context context{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{context.get_executor()};
  std::unique_ptr<http::Server> server;
  std::promise<void> dry;
  std::thread thread;
};

HttpThread::HttpThread(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

Result<std::unique_ptr<HttpThread>> HttpThread::open(http::Options options, http::Backend& backend,
                                                     const observe::RecentEvents& recent,
                                                     observe::HttpMetrics& metrics) {
  auto impl = std::make_unique<Impl>();
  auto server = http::Server::start(impl->context, std::move(options), backend, recent, metrics);
  if (!server) return tl::unexpected{server.error()};
  impl->server = std::move(*server);
  return std::unique_ptr<HttpThread>{new HttpThread{std::move(impl)}};
}

HttpThread::~HttpThread() { stop(Duration{}); }

void HttpThread::start() {
  impl_->thread = std::thread{[this] {
    impl_->context.run();
    impl_->dry.set_value();
  }};
}

void HttpThread::post(std::function<void()> task) { asio::post(impl_->context, std::move(task)); }

void HttpThread::stop(Duration patience) {
  if (!impl_->thread.joinable()) return;
  auto dry = impl_->dry.get_future();
  post([this] {
    impl_->server->stop();
    impl_->work.reset();
  });
  if (dry.wait_for(patience) != std::future_status::ready) impl_->context.stop();
  impl_->thread.join();
}

http::Server& HttpThread::server() { return *impl_->server; }

}  // namespace pw::app
