// NatDiscovery: asks a STUN server what the NATs in front of a machine do, as RFC 5780 section 4 goes about it, from the
// outside only: nothing here looks into a NatBox. Written to judge the simulated internet and the laboratory.
//
// One question at a time, each asked `attempts` times in all. "No" is the answer when none of them was answered, so a
// link that loses a share p of packets each way gives a wrong no once in (1 - (1 - p)²)^-attempts questions.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/net/machine.hpp"
#include "sim/net/nat.hpp"
#include "sim/stun/stun_message.hpp"

namespace pw::net {

struct DiscoveryOptions {
  SocketAddress server;
  Duration interval = 500ms;  // between two attempts, and to wait for an answer to the last one; above every round trip
  unsigned attempts = 8;      // at 5 % loss each way: a wrong answer in 10⁸
  unsigned allocations = 12;  // sockets whose ports tell how ports are given out; at least 4
  bool hairpin = true;
  /// RFC 5780 section 4.6. The search costs up to `longest` for each halving; nothing: not asked.
  struct Lifetime {
    Duration longest = 10min;    // of binding time-outs that are looked for
    Duration resolution = 1s;
  };
  std::optional<Lifetime> lifetime;
};

/// What was found. Absent: not asked, or it could not be told.
struct Behaviour {
  bool udp_blocked = false;    // the server never answered: nothing else is known
  bool translated = false;     // the server saw another address than the socket has
  std::optional<SocketAddress> outer;  // as the server saw the first socket
  std::optional<Dependence> mapping;    // section 4.3; none: the server has no second address
  std::optional<Dependence> filtering;  // section 4.4
  std::optional<Hairpin> hairpin;       // section 4.5
  std::optional<PortAllocation> ports;  // none: ports near one another without a rule
  std::optional<int> step;              // of sequential allocation
  std::optional<Pooling> pooling;
  /// Mappings live at least so long without traffic, and less than that; without `dead_after` it was still alive at the
  /// longest time that was tried.
  std::optional<Duration> alive_after;
  std::optional<Duration> dead_after;
  std::optional<bool> outbound_refreshes;  // REQ-6
  std::optional<bool> inbound_refreshes;

  std::string to_string() const;
};

class NatDiscovery : public Program {
 public:
  NatDiscovery(Machine& machine, DiscoveryOptions options, Rng rng);
  ~NatDiscovery() override;
  NatDiscovery(const NatDiscovery&) = delete;
  NatDiscovery& operator=(const NatDiscovery&) = delete;

  /// Once.
  void start();
  bool done() const { return step_ == Step::done; }
  const Behaviour& behaviour() const { return found_; }

  void handle_arrival(Instant now, const Arrival& arrival) override;
  void handle_timeout(Instant now) override;
  Instant poll_timeout() const override { return next_; }

 private:
  enum class Step : std::uint8_t {
    reach,            // mapping test I: any answer at all
    mapping_address,  // test II: the other address, the same port
    mapping_port,     // test III: the other address, the other port
    filter_both,      // filtering test II: answered from the other address and port
    filter_port,      // test III: from the same address, the other port
    allocation,
    hairpin_first,    // two sockets learn their outer addresses …
    hairpin_second,
    hairpin,          // … and send to each other's
    lifetime_bind,    // a socket makes a mapping …
    lifetime_idle,    // … leaves it alone …
    lifetime_helper,  // … another one from the same outer address …
    lifetime_ask,     // … has an answer sent to it
    refresh_bind,     // the same with a packet on the way, the first time from inside, then from outside
    refresh_idle,
    refresh_outbound,
    refresh_helper,
    refresh_inbound,
    refresh_idle_again,
    refresh_helper_again,
    refresh_ask,
    done
  };
  /// What is asked now: sent from each `from` to its `to`; an arrival at `at` with one of the transactions ends it.
  struct Question {
    struct Sent {
      std::uint16_t from;
      SocketAddress to;
      StunMessage request;
    };
    std::vector<Sent> sent;
    std::set<std::uint16_t> at;
    unsigned left = 0;
  };
  /// What came to the question: a response, or (hairpin) a request of ours and where it seemed to come from.
  struct Answer {
    StunMessage message;
    SocketAddress source;
  };

  // ---- questions (nat_discovery.cpp)
  std::uint16_t fresh_socket();
  void close_sockets();
  void ask(Instant now, std::vector<Question::Sent> sent, std::set<std::uint16_t> at);
  void ask_server(Instant now, std::uint16_t from, const SocketAddress& to, ChangeRequest change = {});
  void send_attempt(Instant now);

  // ---- the procedure (nat_discovery_steps.cpp)
  void enter(Instant now, Step step);
  void finished(Instant now, const std::optional<Answer>& answer);
  void finished_mapping(Instant now, const std::optional<SocketAddress>& outer);
  void finished_hairpin(Instant now, const std::optional<Answer>& answer);
  void finished_helper(Instant now, const std::optional<SocketAddress>& outer, Step then);
  void finished_lifetime(Instant now, bool alive);
  void idle(Instant now, Duration d);
  void find_helper(Instant now);
  void ask_from_outside(Instant now);
  void judge_allocation();
  void after_filtering(Instant now);
  void after_allocation(Instant now);
  void after_hairpin(Instant now);

  Machine& machine_;
  DiscoveryOptions options_;
  Rng rng_;
  Behaviour found_;
  Step step_ = Step::reach;
  bool started_ = false;
  std::optional<Question> question_;
  Instant next_ = kNever;

  std::set<std::uint16_t> sockets_;
  std::uint16_t first_ = 0;  // sockets of the step under way, and how the server saw them
  std::uint16_t second_ = 0;
  SocketAddress first_outer_;
  SocketAddress second_outer_;
  SocketAddress other_;      // the server's, by OTHER-ADDRESS
  struct Allocation {
    std::uint16_t inner;
    SocketAddress outer;
  };
  std::vector<Allocation> allocations_;
  Duration alive_{};  // lifetime: bounds of the search, and what is tried
  Duration dead_{};
  Duration idle_{};
  unsigned helpers_ = 0;
};

}  // namespace pw::net
