// One client's connection: reads requests, lets the application answer, writes. Owns itself until the socket closes.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>

#include "http/hall.hpp"

namespace pw::http {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

/// The client has entered the hall already; the connection leaves it at its end.
void serve_connection(StreamSocket socket, const Client& client, const std::shared_ptr<Hall>& hall);

}  // namespace pw::http
