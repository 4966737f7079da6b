// NodeEnd: one node at an address, whose packets a test carries itself.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "mesh/node.hpp"

namespace pw::test {

inline SocketAddress address(std::uint8_t n) { return {IpAddress::v4({192, 0, 2, n}), 9470}; }

struct NodeEnd {
  NodeEnd(std::uint8_t n, Instant now, mesh::Options options = {})
      : at{address(n)}, identity{make(n)}, node{now, std::move(options), identity, Rng{n}} {}
  static quic::Identity make(std::uint8_t n) {
    quic::Identity::Seed seed{};
    seed.fill(n);
    return quic::Identity::from_seed(seed).value();
  }
  event::PeerSpec spec() const { return {identity.id(), "", false, {HostPort{at.ip.to_string(), at.port}}}; }
  /// What it has to send, one datagram each; what it says is dropped.
  std::deque<Buffer> take() {
    std::deque<Buffer> out;
    while (auto t = node.poll_transmit()) {
      const std::size_t step = t->segment_size == 0 ? t->bytes.size() : t->segment_size;
      for (std::size_t i = 0; i < t->bytes.size(); i += step)
        out.emplace_back(t->bytes.begin() + static_cast<std::ptrdiff_t>(i),
                         t->bytes.begin() + static_cast<std::ptrdiff_t>(std::min(i + step, t->bytes.size())));
    }
    while (auto record = node.poll_event()) {
      up = up || std::holds_alternative<event::SessionEstablished>(record->event);
      if (const auto* e = std::get_if<event::PacketRejected>(&record->event)) rejected.push_back(e->reason);
    }
    while (auto reply = node.poll_reply()) answers += reply->answer.has_value() ? 1 : 0;
    while (node.poll_request()) continue;
    return out;
  }
  SocketAddress at;
  quic::Identity identity;
  mesh::Node node;
  bool up = false;
  std::size_t answers = 0;
  std::vector<event::RejectReason> rejected;
};

}  // namespace pw::test
