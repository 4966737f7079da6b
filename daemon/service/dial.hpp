// Dial: one attempt to reach a server: over UDP at once, and through a pipe as well when UDP stays silent. The first
// handshake to be done wins; what else is under way ends then, before anything was said over it (docs/adr/0011).
//
// Order of calls: start, when nothing is under way; then hand it what comes, and after every call drain poll_request and
// poll_outcome, of which there is one for each start, unless it was cancelled. Rearm at poll_timeout.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "event/request.hpp"
#include "event/vocabulary.hpp"
#include "quic/endpoint.hpp"

namespace pw::service {

using PipeRequest = std::variant<event::OpenPipe, event::ClosePipe>;

class Dial {
 public:
  /// Nothing came back to UDP: QUIC is about to repeat its first packet then.
  static constexpr Duration kSilence = 300ms;
  /// Something came back, and yet the handshake is not done: some networks let the first packets of a flow through only.
  static constexpr Duration kStalled = 3s;

  struct Up {
    quic::Established established;
    std::optional<Via> pipe;  // now the caller's to close
  };
  struct Failed {
    event::ErrorType error = event::ErrorType::unknown;
    std::string detail;
    std::optional<std::uint64_t> application_code;
  };
  using Outcome = std::variant<Up, Failed>;

  /// All references outlive it.
  Dial(quic::Endpoint& endpoint, const PeerId& server, std::uint32_t& next_via)
      : endpoint_{endpoint}, server_{server}, next_via_{next_via} {}

  // ---- commands
  /// Without addresses the pipe is opened at once; without a pipe there is UDP only.
  void start(Instant now, std::span<const PathAddress> addresses, const std::optional<WebSocketAddress>& websocket);
  /// Without an outcome.
  void cancel(Instant now);

  // ---- input. False: not of this attempt.
  bool handle(Instant now, const quic::Event& event);
  bool handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened);
  bool handle_pipe_closed(Instant now, Via via);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<PipeRequest> poll_request();
  std::optional<Outcome> poll_outcome() { return std::exchange(outcome_, std::nullopt); }
  Instant poll_timeout() const { return pipe_at_; }

  bool under_way() const { return over_udp_ || pipe_ || pipe_at_ != kNever; }

 private:
  void open_pipe(Instant now);
  void drop_pipe(Instant now);
  void win(Instant now, const quic::Established& e);
  void failed(Instant now, std::string_view way, event::ErrorType error, const std::string& detail);

  quic::Endpoint& endpoint_;
  PeerId server_;
  std::uint32_t& next_via_;
  Instant began_{};
  std::optional<WebSocketAddress> websocket_;
  std::optional<quic::Handle> over_udp_;
  Instant pipe_at_ = kNever;               // when it is opened, unless UDP is heard of before
  std::optional<Via> pipe_;                // on its way, or open
  std::optional<quic::Handle> over_pipe_;  // since it is open
  Failed failure_;                         // of what failed so far
  std::deque<PipeRequest> requests_;
  std::optional<Outcome> outcome_;
};

}  // namespace pw::service
