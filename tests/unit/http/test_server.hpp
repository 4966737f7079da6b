// A real server on loopback and a control socket, run by a thread of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "fake_backend.hpp"
#include "http/server.hpp"

namespace pw::http::test {

class TestServer {
 public:
  explicit TestServer(Options options = default_options());
  ~TestServer();

  static Options default_options();
  std::uint16_t port() const { return port_; }
  std::string socket() const { return socket_; }
  /// Runs on the server's thread, and waits for it.
  void on_thread(const std::function<void()>& what);
  std::size_t connections();
  double rejected(const std::string& reason);
  /// Stops the server as the daemon does and waits until nothing of it is left.
  void stop();

  FakeBackend backend;
  observe::RecentEvents recent;
  std::unique_ptr<Server> server;

 private:
  struct Loop;
  std::filesystem::path directory_;
  std::string socket_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Loop> loop_;
};

}  // namespace pw::http::test
