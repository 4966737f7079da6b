#include "unit/quic/link.hpp"

#include <algorithm>

namespace pw::quic::test {

void Side::collect() {
  while (auto event = endpoint->poll_event()) std::visit([this](const auto& e) { handle(e); }, *event);
  while (auto r = endpoint->poll_rejected()) ++rejected[r->reason];
}

void Side::handle(const StreamData& e) {
  Buffer& all = received[e.stream];
  all.insert(all.end(), e.bytes.begin(), e.bytes.end());
  received_bytes += e.bytes.size();
  finished[e.stream] |= e.fin;
  if (consume) endpoint->consume(e.connection, e.stream, e.bytes.size());
  if (echo) static_cast<void>(endpoint->write_stream(e.connection, e.stream, e.bytes, e.fin));
}

void Side::handle(const DatagramReceived& e) {
  datagrams.push_back(e);
  if (echo_datagrams) endpoint->write_datagram(e.connection, e.bytes);
}

Side* Wire::at(const SocketAddress& address) {
  for (Side* side : sides_)
    if (std::ranges::find(side->addresses, address) != side->addresses.end()) return side;
  return nullptr;
}

void Wire::put(Side& from, const Transmit& transmit) {
  ++transmits;
  // A socket is bound to every address; the local one of the path decides, or the first of its family.
  const auto source = std::ranges::find_if(from.addresses, [&](const SocketAddress& a) {
    return transmit.path.local.is_unspecified() ? a.ip.family() == transmit.path.remote.ip.family()
                                                : a.ip == transmit.path.local;
  });
  if (source == from.addresses.end() && transmit.path.via == Via::own) return;
  const std::size_t step = transmit.segment_size == 0 ? transmit.bytes.size() : transmit.segment_size;
  for (std::size_t i = 0; i < transmit.bytes.size(); i += step) {
    const auto begin = transmit.bytes.begin() + static_cast<std::ptrdiff_t>(i);
    const auto size = static_cast<std::ptrdiff_t>(std::min(step, transmit.bytes.size() - i));
    Packet packet{&from, {}, transmit.path.remote, Buffer(begin, begin + size), transmit.path.via};
    if (packet.via == Via::own) packet.source = *source;
    ++sent;
    if (record) log.push_back(packet);
    if (filter != nullptr && !filter(packet)) continue;
    if (rng_.chance(loss)) continue;
    if (rewrite_source && packet.source == rewrite_source->first) packet.source = rewrite_source->second;
    flying_.emplace(now_ + delay, std::move(packet));
  }
}

void Wire::deliver(const Packet& packet) {
  for (const Channel& c : channels) {
    const bool forth = c.a == packet.from && c.at_a == packet.via;
    if (!forth && !(c.b == packet.from && c.at_b == packet.via)) continue;
    Side& to = forth ? *c.b : *c.a;
    to->handle_datagram(now_, now_, {{}, {}, forth ? c.at_b : c.at_a}, packet.bytes);
    return to.collect();
  }
  if (packet.via != Via::own) return;
  if (Side* to = at(packet.destination)) inject(*to, packet.source, packet.destination, packet.bytes);
}

void Wire::inject(Side& to, const SocketAddress& source, const SocketAddress& destination, ByteView bytes) {
  to->handle_datagram(now_, now_, {destination.ip, source}, bytes);
  to.collect();
}

void Wire::pump() {
  for (Side* side : sides_) {
    side->collect();
    (*side)->flush(now_);
    side->collect();
    while (auto transmit = (*side)->poll_transmit()) put(*side, *transmit);
  }
}

void Wire::run(Duration time) {
  const Instant until = now_ + time;
  for (;;) {
    pump();
    Instant next = flying_.empty() ? kNever : flying_.begin()->first;
    for (Side* side : sides_) next = earlier(next, (*side)->poll_timeout());
    if (next > until) break;
    now_ = std::max(now_, next);
    while (!flying_.empty() && flying_.begin()->first <= now_) {
      const Packet packet = std::move(flying_.begin()->second);
      flying_.erase(flying_.begin());
      deliver(packet);
    }
    for (Side* side : sides_)
      if ((*side)->poll_timeout() <= now_) (*side)->handle_timeout(now_);
  }
  now_ = until;
}

}  // namespace pw::quic::test
