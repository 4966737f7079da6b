#include "test_server.hpp"

#include <stdlib.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <stdexcept>
#include <thread>

namespace pw::http::test {

struct TestServer::Loop {
  boost::asio::io_context context;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread;
};

Options TestServer::default_options() {
  Options options;
  options.listen = {SocketAddress{IpAddress::v4({127, 0, 0, 1}), 0}};
  options.policy.tokens.admin = "admin";
  options.policy.rate_limit = 1e6;
  return options;
}

TestServer::TestServer(Options options) : loop_{std::make_unique<Loop>()} {
  std::string pattern = (std::filesystem::temp_directory_path() / "pw-http-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
  directory_ = pattern;
  socket_ = pattern + "/control.sock";
  options.control_socket = socket_;
  auto started = Server::start(loop_->context, std::move(options), backend, recent, backend.metrics->http());
  if (!started) throw std::runtime_error{started.error().detail};
  server = std::move(*started);
  port_ = server->addresses().at(0).port;
  loop_->thread = std::thread{[this] { loop_->context.run(); }};
}

TestServer::~TestServer() {
  loop_->work.reset();
  loop_->context.stop();
  loop_->thread.join();
  server.reset();
  loop_.reset();
  std::filesystem::remove_all(directory_);
}

void TestServer::on_thread(const std::function<void()>& what) {
  std::promise<void> done;
  boost::asio::post(loop_->context, [&] {
    what();
    done.set_value();
  });
  done.get_future().wait();
}

std::size_t TestServer::connections() {
  std::size_t n = 0;
  on_thread([&] { n = server->connections(); });
  return n;
}

double TestServer::rejected(const std::string& reason) {
  double n = 0;
  on_thread([&] { n = backend.rejected(reason); });
  return n;
}

void TestServer::stop() {
  on_thread([&] { server->stop(); });
  loop_->work.reset();
  loop_->thread.join();
  loop_->thread = std::thread{[] {}};
}

}  // namespace pw::http::test
