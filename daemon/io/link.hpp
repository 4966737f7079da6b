// Link: a UDP socket as Asio waits for it. What waits (for datagrams, for room to send) holds the link, whose port may be
// gone by then: closed says so.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>

#include "io/udp_sockets.hpp"

namespace pw::io {

struct Link {
  Link(boost::asio::io_context& context, UdpSockets::Port& p)
      : port{p}, descriptor{context, p.socket.fd()}, pause{context} {}

  UdpSockets::Port& port;
  bool closed = false;
  boost::asio::posix::stream_descriptor descriptor;
  boost::asio::steady_timer pause;
  bool awaits_room = false;  // writability, or the end of a pause
  std::uint64_t overflow_told = 0;
};

}  // namespace pw::io
