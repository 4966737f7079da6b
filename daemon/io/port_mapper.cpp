#include "io/port_mapper.hpp"

#include <boost/asio/post.hpp>

namespace pw::io {

Upnp& PortMapper::upnp() {
  if (!upnp_)
    upnp_.emplace([this](std::uint64_t id, const UpnpAnswer& answer) {
      boost::asio::post(context_, [this, id, answer] {
        deliver_({id, answer.code, answer.external, answer.lifetime});
      });
    });
  return *upnp_;
}

void PortMapper::serve(const event::MapPort& asked) {
  upnp().map(asked.id, {asked.gateway, asked.own, asked.outer_port, asked.lifetime});
}

void PortMapper::serve(const event::UnmapPort& asked) {
  upnp().unmap({asked.gateway, asked.own, asked.outer_port, {}});
}

}  // namespace pw::io
