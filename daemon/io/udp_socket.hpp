// UdpSocket: one bound UDP socket of one family, non-blocking, reading in batches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "io/fd.hpp"

namespace pw::io {

/// Asked of the kernel, which may give less (net.core.rmem_max): a second of 1000 peers' probes, and bursts of bulk
/// data.
inline constexpr int kSocketBuffer = 4 << 20;
/// Larger than any packet of ours, so that a longer datagram shows as oversized even where it is cut off.
inline constexpr std::size_t kReceiveBuffer = 2048;
/// Datagrams a recvmmsg: few enough that a flood delays a timer by well under a millisecond.
inline constexpr std::size_t kReceiveBatch = 64;

/// Memory that one recvmmsg fills; shared by the sockets of a thread.
class ReceiveBatch {
 public:
  ReceiveBatch();
  ReceiveBatch(ReceiveBatch&&) noexcept;
  ReceiveBatch& operator=(ReceiveBatch&&) noexcept;
  ~ReceiveBatch();
  struct Storage;
  Storage& storage() { return *storage_; }

 private:
  std::unique_ptr<Storage> storage_;
};

class UdpSocket {
 public:
  struct OpenError {
    bool family_unavailable;  // this machine has no such family: not the operator's mistake
    std::string detail;
  };
  /// `via`: what packets that come in by it are marked with.
  static Result<UdpSocket, OpenError> open(const SocketAddress& address, Via via = Via::own);

  int fd() const { return fd_.get(); }
  Family family() const { return address_.ip.family(); }
  Via via() const { return via_; }
  /// As bound: with the port that the kernel chose, if it was 0.
  const SocketAddress& address() const { return address_; }

  struct Received {
    std::size_t count = 0;
    std::uint64_t dropped = 0;  // by the kernel because the receive buffer was full, since the last call
    bool more = false;          // the batch was full: there may be more
    int error = 0;              // errno, when receiving itself failed
  };
  using Take = std::function<void(const PathAddress& from, Instant received_at, ByteView bytes)>;
  /// Reads one batch and gives each datagram to `take`; the bytes are valid during the call only.
  Received receive(ReceiveBatch& batch, Instant now, const Take& take);

 private:
  UdpSocket(Fd fd, const SocketAddress& address, Via via) : fd_{std::move(fd)}, address_{address}, via_{via} {}
  Fd fd_;
  SocketAddress address_;
  Via via_;
  std::uint32_t drops_seen_ = 0;  // the kernel's own counter, which wraps
};

}  // namespace pw::io
