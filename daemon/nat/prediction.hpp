// Prediction of the ports of a NAT that gives them in steps. Other hosts behind it begin flows meanwhile, so what counts is
// how many ports pass between what is measured and what is aimed at.
//
//   Bracket  the hard end, opposite an easy one: it knows where to send, so it measures its ports right before and right
//            after its flows begin. They lie in between, however many flows of others do, and the other end is told
//            exactly these ports.
//   Window   that easy end: checks them all.
//   Duel     two hard ends: each must know where the other's flow will be before its own begins. Each measures, tells the
//            other, and begins kSenders flows at once, all to the last of the other's next kSenders ports. The flow that
//            has got that very port is the one that meets; it is among them if at most kSenders − 1 flows of others came
//            in between, at either end. If not, another attempt from new sockets.
#pragma once

#include <vector>

#include "nat/punch_method.hpp"

namespace pw::nat {

/// Ports that an easy end checks at most.
inline constexpr std::uint32_t kMaxWindow = 64;
inline constexpr std::int32_t kMaxStep = 1024;

/// The i-th port of a sample, if there is such a port.
std::optional<std::uint16_t> port_of(const PunchMessage& sample, std::uint32_t i);

class Bracket final : public PunchMethod {
 public:
  static constexpr std::size_t kSenders = 4;
  static constexpr std::uint8_t kAttempts = 4;

  using PunchMethod::PunchMethod;
  void start(Instant now) override;
  void progress(Instant now) override;
  bool handle_sample(Instant, const PunchMessage&) override { return false; }
  Instant timer() const override;

 private:
  enum class Step : std::uint8_t { opening, before, flows, after, told };
  void begin();
  void judge();
  Step step_ = Step::opening;
  std::uint8_t attempt_ = 0;
  Via before_{};
  Via after_{};
  std::vector<Via> senders_;
};

class Window final : public PunchMethod {
 public:
  using PunchMethod::PunchMethod;
  void start(Instant) override {}
  void progress(Instant) override {}
  bool handle_sample(Instant now, const PunchMessage& sample) override;
  bool aimed(const PathAddress& path) const override { return checks_.contains(path); }
};

class Duel final : public PunchMethod {
 public:
  static constexpr std::size_t kSenders = 10;
  static constexpr std::uint8_t kAttempts = 4;

  using PunchMethod::PunchMethod;
  void start(Instant now) override;
  void progress(Instant now) override;
  bool handle_sample(Instant now, const PunchMessage& sample) override;
  Instant timer() const override;

 private:
  enum class Step : std::uint8_t { opening, measuring, waiting, flows, checking };
  void begin(Instant now, std::uint8_t attempt);
  void next_attempt(Instant now);
  void tell(const SocketAddress& outer);
  Step step_ = Step::opening;
  std::uint8_t attempt_ = 0;
  Via probe_{};
  std::vector<Via> senders_;
  std::optional<PunchMessage> theirs_;  // of this attempt
  Instant ends_ = kNever;               // this attempt
};

}  // namespace pw::nat
