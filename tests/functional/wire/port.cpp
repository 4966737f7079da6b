#include "functional/wire/port.hpp"

namespace pw::lab {

/// Packets under way in the whole net, for all ports: 100 000 a second over a link of 600 ms, as much as a geostationary
/// satellite needs, and below 200 MB.
constexpr std::size_t kMaxUnderWay = 60'000;

Port::Port(net::Net& net, const Timeline& timeline, std::string name, Cable cable)
    : Device{net, std::move(name)}, timeline_{timeline}, cable_{std::move(cable)} {}

void Port::ask() {
  for (const IpAddress& address : interface_->addresses) {
    if (address.family() != Family::v4) continue;
    cable_.send(ask_neighbour(address, cable_.mac()), monotonic());
    cable_.flush();
    return;
  }
}

bool Port::owns(const IpAddress& address) const { return interface_->has(address); }

std::optional<Duration> Port::waiting_since() const {
  const auto received = cable_.front();
  return received ? std::optional{received->at} : std::nullopt;
}

void Port::take() {
  if (const auto received = cable_.front()) {
    ++counts_.received;
    take(*received);
    cable_.pop();
  }
}

void Port::take(const Cable::Received& received) {
  const auto unusable = [&](Unusable why) { ++counts_.unusable[static_cast<std::size_t>(why)]; };
  if (received.cut) return unusable(Unusable::truncated);
  const auto ethernet = read_ethernet(received.frame);
  if (!ethernet) return unusable(ethernet.error());
  if ((ethernet->source[0] & 1) == 0) host_ = ethernet->source;  // not a group's: the host's own
  if (is_neighbour_traffic(*ethernet)) {
    ++counts_.neighbour;
    // A host that is unplugged hears nobody.
    if (!interface_->enabled) return;
    if (auto answer = answer_neighbour(*ethernet, cable_.mac(), [this](const IpAddress& a) { return owns(a); }))
      cable_.send(std::move(*answer), monotonic());
    return;
  }
  auto packet = read_packet(ethernet->type, ethernet->payload);
  if (!packet) return unusable(packet.error());
  if (net_.packets_under_way() >= kMaxUnderWay) {
    ++counts_.overfull;
    return;
  }
  ++counts_.packets;
  interface_->segment.send(*interface_, std::move(*packet));
}

void Port::arrive(net::Interface&, net::Packet packet) {
  Buffer frame = cable_.spare();
  if (write_frame(packet, cable_.mac(), host_, ++identification_, frame))
    cable_.send(std::move(frame), timeline_.to_clock(net_.now()));
  else
    ++counts_.formless;
}

Port::Counts Port::counts() {
  counts_.cable = cable_.counts();
  return counts_;
}

}  // namespace pw::lab
