#include "http/listen_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pw::http {
namespace {

std::string reason(int error) {
  switch (error) {
    case EADDRINUSE:
      return "the port is in use by another process";
    case EADDRNOTAVAIL:
      return "this machine does not have that address";
    case EACCES:
      return "permission denied";
    default:
      return std::strerror(error);
  }
}

socklen_t fill(const SocketAddress& address, sockaddr_storage& storage) {
  const ByteView bytes = address.ip.bytes();
  if (address.ip.family() == Family::v4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
  return sizeof v6;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

const sockaddr* generic(const auto& address) { return reinterpret_cast<const sockaddr*>(&address); }

bool somebody_answers(const sockaddr_un& address) {
  const Descriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  // A full backlog (EAGAIN) is somebody, too; only a refusal is nobody.
  return ::connect(probe.get(), generic(address), sizeof address) == 0 || errno != ECONNREFUSED;
}

/// Removes what a daemon that is gone has left at the path.
Status clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return fail("the control socket " + path + " can't be made: something else has that name");
  if (somebody_answers(address))
    return fail("another process answers on the control socket " + path + ": is peerwatchd running already?");
  if (::unlink(path.c_str()) != 0)
    return fail("the stale control socket " + path + " can't be removed: " + reason(errno));
  return {};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}
int Descriptor::release() { return std::exchange(fd_, -1); }

Result<Descriptor> listen_tcp(const SocketAddress& address) {
  const auto failed = [&] {
    return fail("http.listen: can't listen on " + address.to_string() + ": " + reason(errno));
  };
  const bool v6 = address.ip.family() == Family::v6;
  Descriptor socket{::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (socket.get() < 0) return failed();
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return failed();
  if (v6 && ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return failed();
  sockaddr_storage storage{};
  const socklen_t length = fill(address, storage);
  if (::bind(socket.get(), generic(storage), length) != 0) return failed();
  if (::listen(socket.get(), kBacklog) != 0) return failed();
  return socket;
}

SocketAddress local_address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  SocketAddress address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return address;
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return {IpAddress::v6(bytes), ntohs(v6.sin6_port)};
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
  return {IpAddress::v4(bytes), ntohs(v4.sin_port)};
}

Result<ControlSocket> ControlSocket::open(const std::string& path) {
  if (path.empty() || path.size() >= sizeof sockaddr_un::sun_path)
    return fail("http.control_socket: a path has 1 to " + std::to_string(sizeof sockaddr_un::sun_path - 1) +
                " characters");
  const sockaddr_un address = unix_address(path);
  if (auto cleared = clear_stale(path, address); !cleared) return tl::unexpected{cleared.error()};
  const auto failed = [&] {
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    if (errno == ENOENT)
      return fail("http.control_socket: the directory of " + path + " does not exist: create " + directory +
                  ", or choose another path");
    return fail("http.control_socket: can't make " + path + ": " + reason(errno));
  };
  Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (socket.get() < 0 || ::bind(socket.get(), generic(address), sizeof address) != 0) return failed();
  // Nobody can connect between bind and listen, so the mode is in force before the first connection.
  struct stat status {};
  if (::chmod(path.c_str(), 0660) != 0 || ::listen(socket.get(), kBacklog) != 0 ||
      ::lstat(path.c_str(), &status) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    errno = error;
    return failed();
  }
  return ControlSocket{path, std::move(socket), status.st_ino};
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : path_{std::exchange(other.path_, {})}, descriptor_{std::move(other.descriptor_)}, inode_{other.inode_} {}

ControlSocket::~ControlSocket() {
  struct stat status {};
  if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace pw::http
