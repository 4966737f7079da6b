// PortMapping: keeps one UDP port of this node mapped at its gateway. Tries PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP
// IGD in this order, keeps the first mapping that it gets, renews it, makes it anew when the gateway forgot it, and tries
// again later, ever more rarely, where nobody gave one. IPv6: PCP alone (a firewall's pinhole). Sans-IO.
//
// The caller: handle_gateway first and whenever gateway or own address change; after every input drains poll_transmit and
// poll_request, and rearms a timer at poll_timeout. Datagrams leave from, and are read at, a socket of the caller's that
// serves nothing else, bound to Gateway::own; one is needed while there is something to send or an answer may come.
//
// A mapping is the gateway's word: it is `verified` only after handle_verified(true), which the caller says when something
// sent from outside to Mapping::external arrived. Whenever `verified` falls back to false, the check is to be run again.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "nat/nat_pmp.hpp"
#include "nat/pcp.hpp"
#include "nat/port_mapping_request.hpp"
#include "nat/port_mapping_terms.hpp"

namespace pw::nat {

struct Gateway {
  IpAddress address;  // the default route's
  IpAddress own;      // this node's towards it; of the same family
  bool operator==(const Gateway&) const = default;
};

struct Mapping {
  MappingProtocol protocol = MappingProtocol::pcp;
  SocketAddress external;
  Duration lifetime{};
  Instant expires{};
  Instant renew_at = kNever;
  bool verified = false;
};

struct MappingReport {
  MappingState state = MappingState::unavailable;
  MappingError error = MappingError::none;
  bool operator==(const MappingReport&) const = default;
};

struct MappingTransmit {
  SocketAddress to;  // the gateway
  Buffer bytes;
};

class PortMapping {
 public:
  struct Options {
    std::uint16_t port = 0;  // the inner one, which is asked for outside too
    /// "The RECOMMENDED Port Mapping Lifetime is 7200 seconds" (RFC 6886 section 3.3).
    Duration lifetime = 2h;
    /// How often the gateway is asked for its epoch: so late at most is a restart noticed that it did not announce.
    Duration check_every = 5min;
    bool upnp = true;
  };
  // A lease of UPnP is shorter: nothing tells that the gateway forgot it.
  static constexpr Duration kUpnpLifetime = 1h;

  PortMapping(Options options, Rng rng);

  // ---- input
  /// None: there is no way out. Another one than before: begins anew. The same: nothing.
  void handle_gateway(Instant now, const std::optional<Gateway>& gateway);
  /// Any bytes from anybody. Answers, and what the gateway announces (RFC 6887 section 14.1, RFC 6886 section 3.2.1).
  void handle_datagram(Instant now, const SocketAddress& from, ByteView bytes);
  void handle_upnp(Instant now, const UpnpResult& result);
  /// What a check from outside found. False: the mapping is given up, and the next protocol tried. Ignored when
  /// `external` is no longer what is mapped.
  void handle_verified(Instant now, const SocketAddress& external, bool reachable);
  void handle_timeout(Instant now);

  // ---- commands
  /// Asks the gateway now whether it still remembers: after a sleep, or when the node seems to have another public address.
  /// Where nothing is mapped, tries now.
  void check(Instant now);
  /// Deletes what is mapped, or asked for: one message, as good as it goes. Nothing happens afterwards, but for a mapping
  /// of UPnP that comes late, which is deleted too.
  void release(Instant now);

  // ---- output
  std::optional<MappingTransmit> poll_transmit();
  std::optional<MappingRequest> poll_request();
  Instant poll_timeout() const;

  // ---- getters
  const std::optional<Mapping>& mapping() const { return mapping_; }
  const MappingReport& report(MappingProtocol protocol) const { return reports_[static_cast<std::size_t>(protocol)]; }
  std::uint64_t faults(AnswerFault fault) const { return faults_[static_cast<std::size_t>(fault)]; }

 private:
  static constexpr Duration kApart = 4s;  // RFC 6887 section 11.2.1: between renewals at least
  enum class Phase : std::uint8_t { idle, asking, holding, waiting, released };
  /// A request under way.
  struct Ask {
    enum class Purpose : std::uint8_t {
      discover,  // the first mapping: a gateway that is silent is soon left alone
      renew,     // on the schedule of RFC 6887 section 11.2.1
      recover,   // the gateway has forgotten
      check      // whether it has
    };
    Purpose purpose = Purpose::discover;
    bool map = true;  // or ANNOUNCE (PCP), the address (NAT-PMP)
    unsigned sent = 0;
    Duration interval{};
    Instant next = kNever;  // when it is sent again, or given up
  };

  void start_round(Instant now);
  void try_from(Instant now, std::size_t protocol);
  bool usable(Instant now, MappingProtocol protocol) const;
  void ask(Instant now, Ask::Purpose purpose, bool map);
  void send(Instant now);
  bool given_up() const;
  Instant renewal(unsigned attempt);
  void ask_upnp(Ask::Purpose purpose, std::uint16_t wanted_port);
  void unmap();

  void handle_pcp(Instant now, ByteView bytes);
  void handle_nat_pmp(Instant now, ByteView bytes);
  void handle_outer_address(Instant now, const nat_pmp::Response& response);
  /// True: the gateway has forgotten since it was heard last.
  bool hear(Instant now, std::uint32_t epoch);
  void recover_soon(Instant now);
  void check_done(Instant now);
  void granted(Instant now, const SocketAddress& external, Duration lifetime, bool restarted);
  Duration clamp_lifetime(Duration lifetime);
  /// The answer to a request for a mapping was an error.
  void denied(Instant now, MappingError error);
  /// This protocol gives no mapping (any more): on to the next.
  void give_up(Instant now, MappingError error);
  void clear_timers();
  void count(AnswerFault fault) { ++faults_[static_cast<std::size_t>(fault)]; }
  MappingReport& report() { return reports_[static_cast<std::size_t>(protocol_)]; }

  Options options_;
  Rng rng_;
  Phase phase_ = Phase::idle;
  std::optional<Gateway> gateway_;
  std::optional<Gateway> last_gateway_;  // that there was
  MappingProtocol protocol_ = MappingProtocol::pcp;
  std::optional<Mapping> mapping_;
  std::optional<Ask> ask_;
  std::optional<EpochSample> epoch_;
  pcp::Nonce nonce_{};
  IpAddress outer_ip_;  // of NAT-PMP, which tells it apart from the port
  std::uint64_t upnp_id_ = 0;
  unsigned conflicts_ = 0;
  Duration retry_after_{};
  Instant pcp_not_before_{};
  // When:
  Instant retry_at_ = kNever;
  Instant check_at_ = kNever;
  Instant recover_at_ = kNever;
  std::deque<MappingTransmit> transmits_;
  std::deque<MappingRequest> requests_;
  std::array<MappingReport, enum_count<MappingProtocol>()> reports_{};
  std::array<std::uint64_t, enum_count<AnswerFault>()> faults_{};
};

}  // namespace pw::nat
