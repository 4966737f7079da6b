// PortMapper: what the core asks of UPnP IGD, done by Upnp's thread and answered on the network thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <utility>

#include "event/request.hpp"
#include "io/upnp.hpp"

namespace pw::io {

class PortMapper {
 public:
  /// Called inside the context's run().
  using Deliver = std::function<void(const event::PortMapped&)>;

  PortMapper(boost::asio::io_context& context, Deliver deliver) : context_{context}, deliver_{std::move(deliver)} {}

  void serve(const event::MapPort& asked);
  void serve(const event::UnmapPort& asked);

 private:
  Upnp& upnp();

  boost::asio::io_context& context_;
  Deliver deliver_;
  std::optional<Upnp> upnp_;  // last: its thread delivers into what stands above; made when it is asked for the first time
};

}  // namespace pw::io
