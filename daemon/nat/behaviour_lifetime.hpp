// LifetimeSearch: how long a mapping that nobody uses lives, learned with one new socket a round: it is bound, left alone,
// and asked once. Which way of asking tells anything, whoever starts it has to know: see behaviour.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "nat/behaviour_questions.hpp"
#include "nat/behaviour_sockets.hpp"

namespace pw::nat {

class LifetimeSearch {
 public:
  /// Lower than a usual time-out, and beyond RFC 4787's REQ-5 of two minutes and the five that it recommends.
  static constexpr std::array<Duration, 5> kWaits{15s, 30s, 60s, 120s, 300s};

  struct Plan {
    enum class Way : std::uint8_t {
      port,          // the same place is asked again: another port means another mapping
      second_port,   // two places are asked, the second again first: it gets the preserved port if the mappings are gone
      filter         // the second place is spoken to, and has to get through after the silence
    };
    Way way;
    SocketAddress first;
    SocketAddress second{};
  };

  LifetimeSearch(Questions& questions, Sockets& sockets) : questions_{questions}, sockets_{sockets} {}

  void start(const Plan& plan);
  void stop();
  void handle_socket(Instant now, const Result<SocketAddress>& bound);
  void handle_ended(Instant now, const Ended& ended);
  void handle_timeout(Instant now);
  Instant poll_timeout() const { return step_ == Step::silent ? until_ : kNever; }

  Via via() const { return via_; }
  bool searching() const { return step_ != Step::over; }
  std::optional<Duration> alive() const { return low_ == 0 ? std::nullopt : std::optional{kWaits[low_ - 1]}; }
  std::optional<Duration> gone() const { return high_ == kWaits.size() ? std::nullopt : std::optional{kWaits[high_]}; }
  /// Why it ended before it knew all; else empty.
  const std::string& trouble() const { return trouble_; }

 private:
  enum class Step : std::uint8_t { opening, first, second, baseline, silent, asking, over };
  std::size_t tried() const { return low_ + (high_ - low_) / 2; }
  void begin_round();
  void fall_silent(Instant now);
  void ask(Instant now, Step step, const SocketAddress& to, bool from_second = false);
  void judge(bool alive);
  void give_up(std::string why);

  Questions& questions_;
  Sockets& sockets_;
  Plan plan_{};
  Step step_ = Step::over;
  Via via_ = Via::own;  // own: no socket
  std::uint16_t inner_port_ = 0;
  SocketAddress mapped_;     // by the place that is asked again
  Instant until_ = kNever;
  std::size_t low_ = 0;      // of kWaits, so many are known to be survived
  std::size_t high_ = kWaits.size();  // and from here on none is
  bool unconfirmed_ = false;  // nothing came through: a filter, or a server that is gone
  std::string trouble_;
};

}  // namespace pw::nat
