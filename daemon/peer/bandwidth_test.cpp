#include "peer/bandwidth_test.hpp"

namespace pw::peer {

using event::CommandError;
using event::Direction;
using wire::BandwidthVerdict;
using wire::Transfer;

namespace {

constexpr std::size_t kChunk = 64 << 10;  // handed to QUIC at a time; its own queue limit is far above
/// Handed to QUIC ahead of the congestion window: enough that it never waits for us, little enough that a slow path has
/// sent it soon after the end.
constexpr std::uint64_t kAhead = 128 << 10;
constexpr Duration kPumpInterval = 10ms;
constexpr Duration kAnswerTimeout = 5s;  // for what needs one round trip
constexpr Duration kDrainTimeout = 3s;  // for what is on its way when the sender's time is over; its report comes after

}  // namespace

BandwidthTest::BandwidthTest(Context& context, const PeerId& peer, Instant now, event::Ticket ticket,
                             std::uint64_t bytes, Duration duration, Link& link)
    : context_{context},
      peer_{peer},
      handle_{link.handle()},
      ticket_{ticket},
      limit_{std::min(bytes, kMaxTestBytes)},
      duration_{std::min(duration, kMaxTestDuration)} {
  ask(now, Transfer::upload, link);
}

BandwidthTest::BandwidthTest(Context& context, const PeerId& peer, Instant now, const wire::BandwidthRequest& request,
                             Link& link)
    : context_{context},
      peer_{peer},
      handle_{link.handle()},
      id_{request.id},
      direction_{request.direction},
      duration_{std::min(Duration{std::chrono::milliseconds{std::min<std::uint64_t>(request.duration_ms, 60'000)}},
                         kMaxTestDuration)} {
  limit_ = std::min({request.bytes, kMaxTestBytes, context_.bandwidth_quota.left(now)});
  link.send(wire::BandwidthAnswer{id_, BandwidthVerdict::accepted, limit_});
  phase_ = Phase::receiving;  // also before sending: the asker's stream comes first
  deadline_ = now + duration_ + (direction_ == Transfer::upload ? kDrainTimeout : kAnswerTimeout);
}

void BandwidthTest::ask(Instant now, Transfer direction, Link& link) {
  direction_ = direction;
  limit_ = std::min(limit_, context_.bandwidth_quota.left(now));
  if (limit_ == 0) return fail(CommandError::quota, "the day's bytes for bandwidth measurements are used up");
  id_ = context_.rng.next();
  phase_ = Phase::asking;
  meter_ = {};
  stream_.reset();
  deadline_ = now + kAnswerTimeout;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration_).count();
  if (!link.send(wire::BandwidthRequest{id_, direction, limit_, static_cast<std::uint64_t>(ms)}))
    fail(CommandError::lost, "the control stream is stuck");
}

void BandwidthTest::handle(Instant now, const wire::ControlMessage& message, Link& link) {
  if (const auto* answer = std::get_if<wire::BandwidthAnswer>(&message)) {
    if (phase_ != Phase::asking || answer->id != id_) return;
    switch (answer->verdict) {
      case BandwidthVerdict::accepted:
        return accepted(now, std::min(limit_, answer->bytes), link);
      case BandwidthVerdict::busy:
        return fail(CommandError::refused, "the peer is busy with another measurement");
      case BandwidthVerdict::quota:
        return fail(CommandError::refused, "the peer's bytes for bandwidth measurements are used up for today");
    }
  } else if (const auto* report = std::get_if<wire::BandwidthReport>(&message)) {
    if (report->id != id_ || (phase_ != Phase::awaiting_report && phase_ != Phase::sending)) return;
    // The receiver can't have more than we sent; a report that says so is no measurement.
    const Duration elapsed = std::chrono::microseconds{std::min<std::uint64_t>(report->elapsed_us, 60'000'000)};
    if (report->bytes > limit_ || elapsed <= Duration{})
      return fail(CommandError::refused, "the peer's report makes no sense: too few bytes for a rate");
    if (phase_ == Phase::sending) end_stream(*stream_);  // the receiver's time was over
    record(now, Direction::outbound, report->bytes, elapsed);
    if (!ticket_) return finish(now);
    ask(now, Transfer::download, link);
  }
}

void BandwidthTest::accepted(Instant now, std::uint64_t bytes, Link& link) {
  limit_ = bytes;
  stream_ = link.open_bulk();
  Buffer id;
  ByteWriter{id}.u64(id_);
  if (!stream_ || limit_ == 0 ||
      !context_.endpoint.write_stream(handle_, *stream_, id, direction_ == Transfer::download))
    return fail(CommandError::refused, "no stream for the measurement could be opened");
  if (direction_ == Transfer::download) {
    deadline_ = now + duration_ + kDrainTimeout;
    phase_ = Phase::receiving;
    return;
  }
  deadline_ = now + duration_ + kAnswerTimeout;
  phase_ = Phase::sending;
  left_ = limit_;
  send_until_ = now + duration_;
  pump(now);
}

void BandwidthTest::pump(Instant now) {
  static const Buffer kZeros(kChunk, 0);
  next_pump_ = now + kPumpInterval;
  const std::uint64_t enough = kAhead + context_.endpoint.stats(handle_).cwnd;
  while (phase_ == Phase::sending) {
    if (left_ == 0 || now >= send_until_) {
      if (context_.endpoint.write_stream(handle_, *stream_, {}, true)) phase_ = Phase::awaiting_report;
      return;
    }
    if (context_.endpoint.pending(handle_, *stream_) >= enough) return;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, left_));
    if (!context_.endpoint.write_stream(handle_, *stream_, ByteView{kZeros}.first(n))) return;  // until it is drained
    left_ -= n;
    context_.bandwidth_quota.use(n);
  }
}

void BandwidthTest::handle_drained(Instant now, quic::StreamId stream) {
  if (stream_ == stream) pump(now);
}

void BandwidthTest::handle_bulk(Instant now, const LinkBulk& bulk, Link& link) {
  if (stream_ && *stream_ != bulk.stream && bulk.fin) end_stream(bulk.stream);  // of an earlier measurement
  if (phase_ != Phase::receiving) return;
  std::size_t n = bulk.bytes.size();
  if (!stream_) {  // the asker's stream, as the answerer sees it first: it names the request
    if (n < 8 || ByteReader{bulk.bytes}.u64() != id_) return;
    stream_ = bulk.stream;
    n -= 8;
    if (direction_ == Transfer::download) {
      phase_ = Phase::sending;
      left_ = limit_;
      send_until_ = now + duration_;
      return pump(now);
    }
  }
  if (*stream_ != bulk.stream) return;
  if (n > 0) meter_.add(now, n);
  context_.bandwidth_quota.use(n);
  if (meter_.bytes > limit_) return fail(CommandError::refused, "the peer sent more than was agreed");
  if (bulk.fin) received(now, link);
}

void BandwidthTest::received(Instant now, Link& link) {
  if (!ticket_) end_stream(*stream_);
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(meter_.elapsed()).count();
  link.send(wire::BandwidthReport{id_, meter_.bytes, static_cast<std::uint64_t>(us)});
  if (us <= 0) return fail(CommandError::refused, "too few bytes arrived to tell a rate");
  record(now, Direction::inbound, meter_.bytes, meter_.elapsed());
  finish(now);
}

void BandwidthTest::record(Instant now, Direction direction, std::uint64_t bytes, Duration elapsed) {
  const double rate = static_cast<double>(bytes) / to_seconds(elapsed);
  context_.out.emit(now, event::BandwidthMeasured{peer_, direction, bytes, elapsed, rate});
  if (direction == Direction::outbound) {
    answer_.bytes_outbound = bytes;
    answer_.outbound = rate;
    outbound_ = {now, rate};
  } else {
    answer_.bytes_inbound = bytes;
    answer_.inbound = rate;
    inbound_ = {now, rate};
  }
}

void BandwidthTest::handle_timeout(Instant now, Link& link) {
  if (phase_ == Phase::sending && now >= next_pump_) pump(now);
  if (done() || now < deadline_) return;
  if (phase_ == Phase::receiving && meter_.elapsed() > Duration{}) return received(now, link);
  fail(CommandError::timeout, "the measurement took too long");
}

/// Our direction of it. A stream that stays open counts against the few that a session may have.
void BandwidthTest::end_stream(quic::StreamId stream) { context_.endpoint.write_stream(handle_, stream, {}, true); }

void BandwidthTest::abandon() {
  if (!done()) fail(CommandError::lost, "the session ended meanwhile");
}

void BandwidthTest::finish(Instant) {
  phase_ = Phase::done;
  context_.bandwidth_busy = false;
  if (ticket_) context_.out.reply(*ticket_, answer_);
}

void BandwidthTest::fail(CommandError code, std::string detail) {
  phase_ = Phase::done;
  context_.bandwidth_busy = false;
  if (stream_) end_stream(*stream_);
  if (ticket_) context_.out.fail(*ticket_, code, std::move(detail));
}

}  // namespace pw::peer
