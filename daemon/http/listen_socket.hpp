// Listening sockets: TCP, and the control socket in the file system. Errors are one sentence that says what to do.
#pragma once

#include <string>

#include "base/address.hpp"
#include "base/result.hpp"

namespace pw::http {

/// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_{fd} {}
  Descriptor(Descriptor&& other) noexcept : fd_{other.release()} {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

inline constexpr int kBacklog = 128;

/// Bound and listening, non-blocking, IPV6_V6ONLY.
Result<Descriptor> listen_tcp(const SocketAddress& address);
/// Where it is bound: the port that the kernel chose for port 0.
SocketAddress local_address_of(int fd);

/// The control socket: mode 0660. A file left behind by a daemon that is gone is replaced; one that somebody answers
/// on, and anything that is no socket, is left alone and an error. Its directory must exist. Removed in the destructor,
/// if it is still the same file.
class ControlSocket {
 public:
  static Result<ControlSocket> open(const std::string& path);
  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();
  Descriptor& descriptor() { return descriptor_; }

 private:
  ControlSocket(std::string path, Descriptor descriptor, unsigned long inode)
      : path_{std::move(path)}, descriptor_{std::move(descriptor)}, inode_{inode} {}
  std::string path_;
  Descriptor descriptor_;
  unsigned long inode_;
};

}  // namespace pw::http
