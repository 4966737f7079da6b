// What leaves a connection: packets as long as flow control and the congestion window allow, and the last one.
#include <algorithm>
#include <array>
#include <utility>

#include "sim/standin/connection.hpp"

namespace pw::quic::standin {
namespace {

constexpr std::size_t kMaxSegments = 16;  // in one Transmit
constexpr std::size_t kMaxReason = 128;
constexpr std::size_t kMaxRanges = 8;    // in one acknowledgement: losses that are older were told before
constexpr std::size_t kLimitFrame = 13;  // the longest of those that tell a limit

}  // namespace

void Connection::begin(Writer& out) {
  const bool first = (promises_ & kHello) != 0;
  const std::uint8_t kind = established_ ? kFirstOfShort : first ? kFirstOfInitial : kFirstOfHandshake;
  put(out, {kind, remote_id_, static_cast<std::uint64_t>(handle_), next_number_++});
}

void Connection::write_ack(Writer& out) {
  const auto& ranges = received_.all();
  const Interval& newest = ranges.back();
  const std::size_t room = out.room() - std::min(out.room(), kAckSize);
  const std::size_t more = std::min({ranges.size() - 1, kMaxRanges, room / kAckRange});
  out.put(Frame::ack);
  out.put(newest.to - 1);
  out.put(static_cast<std::uint32_t>(newest.to - 1 - newest.from));
  out.put(static_cast<std::uint8_t>(more));
  constexpr std::uint64_t kMost = 0xffff;
  std::uint64_t low = newest.from;
  for (std::size_t i = 0; i < more; ++i) {
    const Interval& r = ranges[ranges.size() - 2 - i];
    const std::uint64_t gap = std::min(low - r.to - 1, kMost);
    const std::uint64_t below = std::min(r.to - r.from, kMost);
    out.put(static_cast<std::uint16_t>(gap));
    out.put(static_cast<std::uint16_t>(below));
    low = r.to - below;
  }
  ack_owed_ = false;
}

void Connection::write_handshake(Writer& out, Sent& packet) {
  const auto keep = [&](Promise p) {
    if ((promises_ & p) == 0) return false;
    packet.promises |= p;
    return true;
  };
  if (keep(kHello)) {
    out.put(Frame::hello);
    out.put(nonce_);
    out.put(parameters());
    out.put(digest(as_bytes(protocol_ == Protocol::service ? shared_.options.service_alpn : shared_.options.alpn), 0));
  }
  if (keep(kAnswer)) {
    out.put(Frame::answer);
    out.put(nonce_);
    out.put(parameters());
    out.put(shared_.self);
    out.put(shared_.reset_token(static_cast<std::uint64_t>(handle_)));
  }
  if (keep(kProof)) {
    out.put(Frame::proof);
    out.put(shared_.self);
  }
  if (keep(kDone)) out.put(Frame::done);
}

void Connection::write_windows(Writer& out, Sent& packet) {
  if ((promises_ & kWindow) != 0) {
    out.put(Frame::max_data);
    out.put(max_data_in_);
    packet.promises |= kWindow;
  }
  if ((promises_ & kStreams) != 0) {
    out.put(Frame::max_streams);
    out.put(max_peers_streams_);
    packet.promises |= kStreams;
  }
  for (Stream& stream : streams_) {
    if (!stream.owes_window || out.room() < kLimitFrame) continue;
    out.put(Frame::max_stream_data);
    out.put(static_cast<std::uint32_t>(stream.id));
    out.put(stream.max_in);
    stream.owes_window = false;
    packet.promises |= kWindow;
  }
}

void Connection::write_datagrams(Writer& out, Sent& packet) {
  std::size_t n = 0;
  for (; n < datagrams_.size() && kDatagramHeader + datagrams_[n].size() <= out.room(); ++n) {
    out.put(Frame::datagram);
    out.put(static_cast<std::uint16_t>(datagrams_[n].size()));
    out.bytes(datagrams_[n]);
    ++packet.datagrams;
  }
  datagrams_.erase(datagrams_.begin(), datagrams_.begin() + static_cast<std::ptrdiff_t>(n));
  if (datagrams_.empty()) datagrams_ = {};  // an idle connection holds nothing
}

void Connection::write_streams(Writer& out, Sent& packet) {
  for (std::size_t idle = 0; idle < streams_.size() && out.room() > kStreamHeader;) {
    turn_ %= streams_.size();
    Stream& stream = streams_[turn_++];
    const auto chunk = stream.next(out.room() - kStreamHeader, max_data_out_ - data_sent_);
    if (!chunk) {
      ++idle;
      continue;
    }
    out.put(chunk->fin ? Frame::stream_end : Frame::stream);
    out.put(static_cast<std::uint32_t>(stream.id));
    out.put(chunk->offset);
    out.put(static_cast<std::uint16_t>(chunk->size));
    out.bytes(stream.bytes_of(*chunk));
    data_sent_ += stream.sent(*chunk);
    packet.chunks.push_back(*chunk);
    idle = 0;
  }
}

bool Connection::has_more() const {
  return std::ranges::any_of(streams_,
                             [&](const Stream& s) { return s.next(1, max_data_out_ - data_sent_).has_value(); });
}

/// One packet; 0 when there is nothing to say, or nothing may be said now.
std::size_t Connection::write_packet(Instant now, std::span<std::uint8_t> buffer) {
  if (half_open() && credit_ < kUdpPayload) return 0;
  const bool windows = std::ranges::any_of(streams_, [](const Stream& s) { return s.owes_window; });
  const bool something = promises_ != 0 || windows || !datagrams_.empty() || (established_ && has_more());
  paced_ = something && recovery_.has_room() && recovery_.paced_until() > now;
  const bool may = something && (probes_ > 0 || (recovery_.has_room() && !paced_));
  if (!may && !ack_owed_) return 0;

  Writer out{buffer};
  begin(out);
  Sent packet{next_number_ - 1, now, 0, 0, 0, {}};
  if (ack_owed_) write_ack(out);
  const std::size_t without = out.used();
  if (may) {
    write_handshake(out, packet);
    if (established_) {
      write_windows(out, packet);
      write_datagrams(out, packet);
      write_streams(out, packet);
    }
    if (out.used() == without && (promises_ & kPing) != 0) out.put(Frame::ping);
  }
  promises_ &= static_cast<std::uint8_t>(may ? 0 : 0xff);
  if (out.used() == (established_ ? kShortHeader : kHandshakeHeader)) return 0;

  // A first flight is full, so that the path is known to carry it; segments of a train are of one size.
  const bool full = (packet.promises & (kHello | kAnswer)) != 0 || (out.room() <= kStreamHeader && has_more());
  if (full) out.pad_to(payload() - kTag);
  const bool counts = out.used() > without && may;
  out.seal(key());
  if (half_open()) credit_ -= std::min<std::uint64_t>(credit_, out.used());
  if (counts) {
    packet.size = static_cast<std::uint32_t>(out.used());
    recovery_.sent(std::move(packet));
    if (probes_ > 0 && --probes_ > 0) promises_ |= kPing;
    if (!std::exchange(sent_since_heard_, true)) idle_since_ = now;
  }
  return out.used();
}

void Connection::write(Instant now) {
  std::array<std::uint8_t, kMaxSegments * kServiceUdpPayload> scratch;
  std::size_t waiting = 0, segments = 0;
  while (const std::size_t size = write_packet(now, std::span{scratch}.subspan(waiting, payload()))) {
    waiting += size;
    ++segments;
    // Segments are of one size; a shorter one can only be the last.
    if (size == payload() && segments < kMaxSegments) continue;
    transmit(now, ByteView{scratch}.first(waiting), segments);
    waiting = segments = 0;
  }
  transmit(now, ByteView{scratch}.first(waiting), segments);
}

void Connection::transmit(Instant now, ByteView packets, std::size_t segments) {
  if (packets.empty()) return;
  const std::size_t segment = segments > 1 ? payload() : packets.size();
  if (established_ && protocol_ == Protocol::peer) recent_.add(now, segments > 1 ? segment : 0, packets);
  paths_.for_each(packets.size(), segment, [&](const PathAddress& path, std::size_t fit) {
    const ByteView some = packets.first(fit);
    shared_.transmits.push_back({handle_, path, fit > segment ? segment : 0, Buffer(some.begin(), some.end())});
  });
}

Buffer Connection::close_packet(CloseKind kind, std::uint64_t code, std::string_view reason) {
  // Nothing can be sent before the first packet, or beyond three times what an unproved address sent.
  if (dialled_ ? next_number_ == 0 : half_open() && credit_ < kUdpPayload) return {};
  std::array<std::uint8_t, kUdpPayload> scratch;
  const ByteView cut = as_bytes(reason.substr(0, kMaxReason));
  promises_ = 0;
  Writer out{scratch};
  begin(out);
  out.put(Frame::close);
  out.put(kind);
  out.put(code);
  out.put(static_cast<std::uint16_t>(cut.size()));
  out.bytes(cut);
  out.seal(key());
  const ByteView written = out.written();
  return Buffer(written.begin(), written.end());
}

}  // namespace pw::quic::standin
