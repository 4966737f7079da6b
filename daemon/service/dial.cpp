#include "service/dial.hpp"

#include <array>
#include <utility>

#include "base/taken.hpp"
#include "service/close_code.hpp"

namespace pw::service {

using event::ErrorType;

namespace {

constexpr auto kDone = static_cast<std::uint64_t>(CloseCode::done);

}  // namespace

void Dial::start(Instant now, std::span<const PathAddress> addresses, const std::optional<WebSocketAddress>& websocket) {
  cancel(now);
  began_ = now;
  websocket_ = websocket;
  failure_ = {};
  outcome_.reset();
  std::string why = "no address to dial";
  ErrorType error = ErrorType::unknown;
  if (!addresses.empty()) {
    if (const auto made = endpoint_.dial(now, addresses, server_, quic::Protocol::service)) {
      over_udp_ = *made;
    } else {
      error = ErrorType::resource_exhausted;
      why = made.error().detail;
    }
  }
  if (websocket_) pipe_at_ = over_udp_ ? now + kSilence : now;
  if (!over_udp_) failed(now, "UDP", error, why);
}

void Dial::cancel(Instant now) {
  pipe_at_ = kNever;
  if (over_udp_) endpoint_.close(now, *std::exchange(over_udp_, std::nullopt), kDone, "not needed");
  drop_pipe(now);
}

void Dial::open_pipe(Instant now) {
  if (over_udp_ && endpoint_.answered(*over_udp_) && now < began_ + kStalled) {
    pipe_at_ = began_ + kStalled;
    return;
  }
  pipe_at_ = kNever;
  pipe_ = Via{next_via_++};
  requests_.emplace_back(event::OpenPipe{*pipe_, *websocket_});
}

void Dial::drop_pipe(Instant now) {
  if (over_pipe_) endpoint_.close(now, *std::exchange(over_pipe_, std::nullopt), kDone, "not needed");
  if (pipe_) requests_.emplace_back(event::ClosePipe{*std::exchange(pipe_, std::nullopt)});
}

void Dial::win(Instant now, const quic::Established& e) {
  Up up{e, {}};
  if (e.connection == over_udp_) {
    over_udp_.reset();
  } else {
    over_pipe_.reset();
    up.pipe = std::exchange(pipe_, std::nullopt);
  }
  cancel(now);
  outcome_ = std::move(up);
}

/// One way less. The outcome when it was the last; what UDP failed of says more than what a pipe failed of.
void Dial::failed(Instant now, std::string_view way, ErrorType error, const std::string& detail) {
  if (failure_.detail.empty()) failure_.error = error;
  if (!failure_.detail.empty()) failure_.detail += "; ";
  if (websocket_) failure_.detail += std::string{way} + ": ";
  failure_.detail += detail;
  if (pipe_at_ != kNever && !over_udp_) open_pipe(now);  // nothing else is waited for
  if (!under_way()) outcome_ = failure_;
}

bool Dial::handle(Instant now, const quic::Event& event) {
  const quic::Handle handle = std::visit([](const auto& e) { return e.connection; }, event);
  if (handle != over_udp_ && handle != over_pipe_) return false;
  if (const auto* up = std::get_if<quic::Established>(&event)) {
    win(now, *up);
  } else if (const auto* closed = std::get_if<quic::Closed>(&event)) {
    const bool udp = handle == over_udp_;
    (udp ? over_udp_ : over_pipe_).reset();
    if (!udp) drop_pipe(now);
    if (closed->application_code) {  // the server's own word: another way would hear it too
      cancel(now);
      outcome_ = Failed{closed->error, closed->detail, closed->application_code};
    } else {
      failed(now, udp ? "UDP" : "WebSocket", closed->error, closed->detail);
    }
  }
  return true;
}

bool Dial::handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened) {
  if (pipe_ != via || over_pipe_) return false;
  if (!opened) {
    pipe_.reset();
    failed(now, "WebSocket", ErrorType::unknown, opened.error().detail);
    return true;
  }
  const std::array path{PathAddress{IpAddress::any(opened->ip.family()), *opened, via}};
  if (const auto made = endpoint_.dial(now, path, server_, quic::Protocol::service)) {
    over_pipe_ = *made;
  } else {
    drop_pipe(now);
    failed(now, "WebSocket", ErrorType::resource_exhausted, made.error().detail);
  }
  return true;
}

bool Dial::handle_pipe_closed(Instant now, Via via) {
  if (pipe_ != via) return false;
  pipe_.reset();
  if (over_pipe_) endpoint_.close(now, *std::exchange(over_pipe_, std::nullopt), kDone, "the pipe closed");
  failed(now, "WebSocket", ErrorType::reset, "the pipe closed");
  return true;
}

void Dial::handle_timeout(Instant now) {
  if (pipe_at_ <= now) open_pipe(now);
}

std::optional<PipeRequest> Dial::poll_request() {
  return taken(requests_);
}

}  // namespace pw::service
