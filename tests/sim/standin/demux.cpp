// Where a datagram belongs: to a connection, to one that is closing, to a new one, or to nobody.
#include <algorithm>
#include <array>

#include "sim/standin/impl.hpp"

namespace pw::quic {

using event::RejectReason;

namespace {

// As daemon/quic/stateless.cpp has them: an answer is shorter than what it answers.
constexpr std::size_t kSmallestReset = 21;
constexpr std::size_t kLargestReset = 43;
constexpr std::size_t kResetTrailer = 16;

std::uint64_t token_of(ByteView bytes) {
  standin::Reader in{bytes.last(kResetTrailer)};
  const auto token = in.get<std::uint64_t>();
  return in.get<std::uint64_t>() == ~token ? token : 0;
}

}  // namespace

std::optional<Handle> Endpoint::Impl::handle_datagram(const PathAddress& from, ByteView bytes) {
  if (bytes.empty()) return reject(RejectReason::empty, from);
  std::optional<ByteView> frames;
  const auto parsed = standin::parse(bytes, frames);
  if (!parsed) return reject(RejectReason::malformed, from);
  const standin::Header& header = *parsed;
  Handle handle{header.destination};
  if (header.handshake())
    if (const auto first = shared.first_ids.find(header.destination); first != shared.first_ids.end())
      handle = first->second;
  if (Connection* c = find(handle)) {
    if (!frames) return handle;
    if (!c->read(now, header, *frames, bytes)) return reject(RejectReason::wrong_source, from);
    // Its deadline is set when it is written, and until then the endpoint is due at once.
    if (!c->ended()) mark(*c);
    if (c->ended() || c->half_open() != c->counted_half_open) settle(*c);
    return handle;
  }
  if (const auto left = lingering.find(handle); left != lingering.end()) {
    left->second.handle_datagram();
    return std::nullopt;
  }
  return handle_unknown(header, frames, from, bytes);
}

std::optional<Handle> Endpoint::Impl::handle_unknown(const standin::Header& header, std::optional<ByteView> frames,
                                                     const PathAddress& from, ByteView bytes) {
  if (!header.handshake()) {
    const std::uint64_t token = bytes.size() >= kResetTrailer ? token_of(bytes) : 0;
    if (const auto known = shared.reset_tokens.find(token); token != 0 && known != shared.reset_tokens.end()) {
      const Handle handle = known->second;
      if (Connection* c = find(handle)) {
        c->reset_by_peer();
        settle(*c);
      }
      return handle;
    }
    send_reset(header.destination, from, bytes.size());
    return reject(RejectReason::unknown_connection, from);
  }
  if (header.first != standin::kFirstOfInitial) return reject(RejectReason::unknown_connection, from);
  if (bytes.size() < kUdpPayload) return reject(RejectReason::initial_too_small, from);
  if (!frames || !standin::intact(bytes, header.destination)) return reject(RejectReason::malformed, from);
  if (!sources.take(now, from)) return reject(RejectReason::rate_limited, from);
  if (connections.size() >= shared.options.max_connections || half_open >= shared.options.max_half_open) {
    refuse(header, from);
    return reject(RejectReason::half_open_limit, from);
  }
  const Handle handle = new_handle();
  auto& c = *connections.emplace(handle, std::make_unique<Connection>(shared, handle, now, from, header)).first->second;
  shared.first_ids.emplace(header.destination, handle);
  c.read(now, header, *frames, bytes);
  if (!c.ended()) mark(c);
  settle(c);
  return handle;
}

void Endpoint::Impl::send_reset(std::uint64_t id, const PathAddress& to, std::size_t size) {
  if (size <= kSmallestReset || !answers.take(now)) return;
  Buffer packet(size > kLargestReset ? kLargestReset : kSmallestReset);
  shared.rng.fill(packet);
  packet[0] = static_cast<std::uint8_t>(standin::kFirstOfShort | (packet[0] & 0x3f));
  standin::Writer out{std::span{packet}.last(kResetTrailer)};
  out.put(shared.reset_token(id));
  out.put(~shared.reset_token(id));
  shared.transmits.push_back({std::nullopt, to, 0, std::move(packet)});
}

void Endpoint::Impl::refuse(const standin::Header& header, const PathAddress& to) {
  if (!answers.take(now)) return;
  std::array<std::uint8_t, kUdpPayload> scratch;
  constexpr std::string_view kReason = "connection refused";
  standin::Writer out{scratch};
  standin::put(out, {standin::kFirstOfHandshake, header.source, 0, 0});
  out.put(standin::Frame::close);
  out.put(std::uint8_t{1});
  out.put(static_cast<std::uint64_t>(event::ErrorType::refused));
  out.put(static_cast<std::uint16_t>(kReason.size()));
  out.bytes(as_bytes(kReason));
  out.seal(header.destination);
  const ByteView written = out.written();
  shared.transmits.push_back({std::nullopt, to, 0, Buffer(written.begin(), written.end())});
}

}  // namespace pw::quic
