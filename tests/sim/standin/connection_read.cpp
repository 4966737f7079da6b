// What a packet does to a connection.
#include <algorithm>
#include <array>
#include <utility>

#include "sim/standin/connection.hpp"

namespace pw::quic::standin {

using event::ErrorType;

namespace {

constexpr std::size_t kMaxReason = 128;  // of a peer's words that anybody gets to see
constexpr std::size_t kMaxRanges = 32;   // of received packets that are remembered; older ones count as received

std::string printable(ByteView text) {
  std::string out{as_text(text.first(std::min(text.size(), kMaxReason)))};
  std::ranges::replace_if(
      out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

}  // namespace

bool Connection::read(Instant now, const Header& header, ByteView frames, ByteView packet) {
  if (!established_ && !paths_.take(shared_.from, packet.size())) return false;
  // Keys that QUIC would have forgotten, or not have yet. An acceptor goes on to read the handshake, for a close in it.
  if (header.handshake() ? dialled_ && established_ : !complete_) return true;
  if (!intact(packet, header.handshake() ? first_id_ : session_key_)) return true;
  if (!dialled_ && !established_) credit_ += 3 * packet.size();  // RFC 9000 section 8.1
  if (received_.contains(header.number)) return true;
  received_.add(header.number, header.number + 1);
  if (received_.size() > kMaxRanges) {
    received_.pop_front();
    received_.front().from = 0;
  }
  if (dialled_) paths_.pin(shared_.from);
  answered_ |= dialled_;
  if (header.handshake()) remote_id_ = header.source;
  idle_since_ = now;
  sent_since_heard_ = false;
  read_frames(now, frames);
  return true;
}

void Connection::read_frames(Instant now, ByteView frames) {
  Reader in{frames};
  while (in.more() && !ended_) {
    const auto frame = static_cast<Frame>(in.get<std::uint8_t>());
    ack_owed_ |= frame != Frame::padding && frame != Frame::ack && frame != Frame::close;
    switch (frame) {
      case Frame::padding:
        return;
      case Frame::ping:
        break;
      case Frame::ack:
        read_ack(now, in);
        break;
      case Frame::hello:
        read_hello(in);
        break;
      case Frame::answer:
        read_answer(in);
        break;
      case Frame::proof:
        read_proof(in);
        break;
      case Frame::done:
        establish();
        break;
      case Frame::stream:
      case Frame::stream_end:
        read_stream(in, frame == Frame::stream_end);
        break;
      case Frame::datagram: {
        const ByteView bytes = in.bytes(in.get<std::uint16_t>());
        if (in.ok())
          emit(DatagramReceived{handle_, shared_.from, shared_.received_at, Buffer(bytes.begin(), bytes.end())});
        break;
      }
      case Frame::max_data:
        max_data_out_ = std::max(max_data_out_, in.get<std::uint64_t>());
        break;
      case Frame::max_stream_data: {
        Stream* stream = find(in.get<std::uint32_t>());
        const auto limit = in.get<std::uint64_t>();
        if (stream != nullptr) stream->max_out = std::max(stream->max_out, limit);
        break;
      }
      case Frame::max_streams:
        max_opened_ = std::max(max_opened_, in.get<std::uint64_t>());
        break;
      case Frame::close:
        read_close(in);
        break;
    }
  }
  if (!in.ok() && !ended_) fail(ErrorType::protocol, "a frame was cut");
}

// ---- acknowledgements

void Connection::read_ack(Instant now, Reader& in) {
  std::array<Interval, 1 + 255> ranges;
  const auto largest = in.get<std::uint64_t>();
  std::uint64_t low = largest - std::min<std::uint64_t>(largest, in.get<std::uint32_t>());
  ranges[0] = {low, largest + 1};
  std::size_t count = 1;
  for (unsigned more = in.get<std::uint8_t>(); more > 0; --more) {
    const std::uint64_t gap = in.get<std::uint16_t>() + std::uint64_t{1};
    const std::uint64_t below = in.get<std::uint16_t>();
    if (!in.ok() || gap + below > low) break;
    const std::uint64_t to = low - gap;
    low = to - below;
    ranges[count++] = {low, to};
  }
  if (!in.ok()) return;
  shared_.acknowledged.clear();
  shared_.lost.clear();
  recovery_.acknowledge(now, std::span{ranges}.first(count), shared_.acknowledged, shared_.lost);
  for (const Sent& packet : shared_.acknowledged) forget(packet);
  for (const Sent& packet : shared_.lost) {
    promise_again(packet);
    datagrams_lost_ += packet.datagrams;
  }
}

void Connection::forget(const Sent& packet) {
  for (const Chunk& chunk : packet.chunks) {
    Stream* stream = find(chunk.stream);
    if (stream == nullptr) continue;
    stream->acknowledged(chunk);
    const bool room = stream->was_full && stream->pending() <= shared_.options.max_queued_stream_bytes / 2;
    if (stream->owes_drained && chunk.size > 0 && (stream->pending() == 0 || room)) {
      stream->owes_drained = stream->pending() > 0;
      stream->was_full = false;
      emit(StreamDrained{handle_, stream->id});
    }
    end_if_done(*stream);
  }
}

void Connection::promise_again(const Sent& packet) {
  std::uint8_t again = packet.promises;
  if (complete_) again &= static_cast<std::uint8_t>(~kHello);
  if (established_) again &= static_cast<std::uint8_t>(~(kAnswer | kProof));
  promises_ |= again;
  for (const Chunk& chunk : packet.chunks)
    if (Stream* stream = find(chunk.stream)) stream->lost(chunk);
  if ((again & kWindow) != 0)
    for (Stream& stream : streams_) stream.owes_window = true;
}

// ---- handshake

void Connection::read_hello(Reader& in) {
  const auto nonce = in.get<std::uint64_t>();
  const auto parameters = in.get<Parameters>();
  const auto protocol = in.get<std::uint64_t>();
  if (dialled_ || !in.ok() || peers_.idle_timeout != Duration{}) return;
  if (protocol == digest(as_bytes(shared_.options.service_alpn), 0))
    protocol_ = Protocol::service;
  else if (protocol != digest(as_bytes(shared_.options.alpn), 0))
    return fail(ErrorType::tls, "no common protocol (ALPN)");
  peers_ = parameters;
  complete(nonce, nonce_);
  promises_ |= kAnswer;
}

void Connection::read_answer(Reader& in) {
  const auto nonce = in.get<std::uint64_t>();
  const auto parameters = in.get<Parameters>();
  const auto key = in.get<PeerId>();
  const auto token = in.get<std::uint64_t>();
  if (!dialled_ || complete_ || !in.ok()) return;
  if (key != *expected_)
    return fail(ErrorType::tls, "expected " + expected_->to_short() + ", but " + key.to_short() + " answered");
  peer_ = key;
  peers_ = parameters;
  if (shared_.reset_tokens.emplace(token, handle_).second) reset_token_ = token;
  complete(nonce_, nonce);
  complete_ = true;
  promises_ = kProof;
}

void Connection::read_proof(Reader& in) {
  const auto key = in.get<PeerId>();
  if (dialled_ || established_ || !in.ok() || peers_.idle_timeout == Duration{}) return;
  peer_ = key;
  paths_.pin(shared_.from);
  complete_ = true;
  promises_ = kDone;
  establish();
}

/// Both nonces are known: so are what both sides know and nobody else, and the limits.
void Connection::complete(std::uint64_t diallers, std::uint64_t acceptors) {
  Writer out{exporter_};
  for (std::uint64_t i = 1; i <= 4; ++i) out.put(spread(spread(diallers + i) ^ (acceptors * i)));
  session_key_ = spread(diallers ^ spread(acceptors));
  idle_timeout_ = std::min(idle_timeout_, peers_.idle_timeout);
  max_data_out_ = peers_.connection_window;
  max_opened_ = peers_.max_streams;
}

void Connection::establish() {
  if (std::exchange(established_, true)) return;
  give_up_ = kNever;
  recovery_.handshake_done();
  expected_.reset();
  shared_.events.push_back(Established{handle_, *peer_, dialled_, paths_.first(), protocol_});
  for (Event& event : early_) shared_.events.push_back(std::move(event));
  early_ = {};
}

void Connection::read_close(Reader& in) {
  const auto kind = in.get<CloseKind>();
  const auto code = in.get<std::uint64_t>();
  const ByteView reason = in.bytes(in.get<std::uint16_t>());
  if (!in.ok()) return;
  constexpr auto kDraining = Ending::Kind::draining;
  std::string words = printable(reason);
  if (kind == CloseKind::application && complete_)
    return end(kDraining, false, ErrorType::unknown, code, words.empty() ? "closed by the peer" : std::move(words));
  // RFC 9000 section 10.2.3: an application's code and reason don't leave before the handshake is complete.
  if (kind == CloseKind::application)
    return end(kDraining, false, ErrorType::refused, {}, "the peer said: given up during the handshake");
  const auto error = static_cast<ErrorType>(code);
  const char* said = error == ErrorType::tls ? "the peer refused the handshake: " : "the peer said: ";
  end(kDraining, false, error, {}, said + std::move(words));
}

// ---- streams

void Connection::emit(Event event) {
  if (established_) {
    shared_.events.push_back(std::move(event));
    return;
  }
  if (std::holds_alternative<DatagramReceived>(event) && early_.size() >= shared_.options.max_queued_datagrams) {
    ++shared_.dropped_datagrams;
    return;
  }
  early_.push_back(std::move(event));
}

void Connection::read_stream(Reader& in, bool fin) {
  const StreamId id = in.get<std::uint32_t>();
  const auto offset = in.get<std::uint64_t>();
  const ByteView bytes = in.bytes(in.get<std::uint16_t>());
  if (!in.ok()) return;
  Stream* stream = find(id);
  if (stream == nullptr) {
    const auto order = static_cast<std::uint64_t>(id / 4);
    const bool ours = (id % 4 == 0) == dialled_;
    if (ours || peers_streams_.contains(order)) return;  // it has ended
    if (order >= max_peers_streams_) return fail(ErrorType::protocol, "too many streams");
    peers_streams_.add(order, order + 1);
    stream = &streams_.emplace_back(id, peers_.stream_window, shared_.options.stream_window);
    emit(StreamOpened{handle_, id});
  }
  const std::uint64_t before = stream->highest();
  if (!stream->receive(offset, bytes, fin)) return fail(ErrorType::protocol, "more than a stream's window");
  data_received_ += stream->highest() - before;
  if (data_received_ > max_data_in_) return fail(ErrorType::protocol, "more than the connection's window");
  if (auto taken = stream->take())
    emit(StreamData{handle_, id, std::move(taken->first), taken->second, shared_.received_at});
  end_if_done(*stream);
}

void Connection::end_if_done(Stream& stream) {
  if (!stream.write_done() || !stream.read_done()) return;
  // What nobody will use up any more still counts against the connection's window.
  data_consumed_ += stream.unconsumed;
  if ((stream.id % 4 == 0) != dialled_) {
    ++max_peers_streams_;
    promises_ |= kStreams;
  }
  streams_.erase(streams_.begin() + (&stream - streams_.data()));
}

}  // namespace pw::quic::standin
