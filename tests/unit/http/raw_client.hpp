// A client that sends whatever bytes a test likes, and waits no longer than it says.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <string_view>

#include "base/address.hpp"

namespace pw::http::test {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) : fd_{::socket(AF_INET, SOCK_STREAM, 0)} {
    if (receive_buffer != 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  explicit RawClient(const std::string& path) : fd_{::socket(AF_UNIX, SOCK_STREAM, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(RawClient&& other) noexcept : fd_{std::exchange(other.fd_, -1)}, connected_{other.connected_} {}
  RawClient(const RawClient&) = delete;
  ~RawClient() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool connected() const { return connected_; }
  /// False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void shut() { ::shutdown(fd_, SHUT_WR); }

  /// Reads until the text holds `what`, the server closes, or the time is over.
  std::string read_until(std::string_view what, std::chrono::milliseconds patience = std::chrono::seconds{5}) {
    std::string text;
    const auto end = std::chrono::steady_clock::now() + patience;
    while (what.empty() || text.find(what) == std::string::npos) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd waiting{fd_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
        timed_out_ = true;
        return text;
      }
      char bytes[4096];
      const auto got = ::recv(fd_, bytes, sizeof bytes, 0);
      if (got <= 0) {
        closed_ = true;
        return text;
      }
      text.append(bytes, static_cast<std::size_t>(got));
    }
    return text;
  }
  std::string read_all(std::chrono::milliseconds patience = std::chrono::seconds{5}) {
    return read_until({}, patience);
  }
  /// One reply with its body, by Content-Length.
  std::string read_reply() {
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
      char byte = 0;
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, 5000) <= 0 || ::recv(fd_, &byte, 1, 0) != 1) return head;
      head += byte;
    }
    const auto at = head.find("Content-Length: ");
    auto left = at == std::string::npos ? 0UL : std::stoul(head.substr(at + 16));
    while (left > 0) {
      char bytes[4096];
      const auto got = ::recv(fd_, bytes, std::min(left, sizeof bytes), 0);
      if (got <= 0) return head;
      head.append(bytes, static_cast<std::size_t>(got));
      left -= static_cast<unsigned long>(got);
    }
    return head;
  }
  bool closed() const { return closed_; }
  bool timed_out() const { return timed_out_; }

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
  bool timed_out_ = false;
};

/// The code of a reply's first line; 0 if there is none.
inline int code_of(const std::string& reply) {
  return reply.starts_with("HTTP/1.1 ") ? std::stoi(reply.substr(9, 3)) : 0;
}

}  // namespace pw::http::test
