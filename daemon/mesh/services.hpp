// Services: what this node does for others as a bootstrap and relay, and what others do for it. Owns service::Server,
// service::Clients and the STUN responder; looks their names up, and turns what they say into events and snapshots.
//
// Order of calls: as Node. Every event of the endpoint is offered to handle() first. After a batch of them call settle(),
// hand what poll_arrived gives to whoever tells datagrams apart, and begin anew while there is anything; then forward(),
// and flush the endpoint.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/backoff.hpp"
#include "event/service.hpp"
#include "mesh/inbound_channels.hpp"
#include "mesh/mapping_check.hpp"
#include "mesh/pipes.hpp"
#include "mesh/rendezvous.hpp"
#include "mesh/service_options.hpp"
#include "mesh/stun_service.hpp"
#include "peer/context.hpp"
#include "quic/identity.hpp"
#include "service/clients.hpp"
#include "service/server.hpp"

namespace pw::mesh {

class Services {
 public:
  /// A server's names are not looked up again sooner, however often it is lost.
  static constexpr Duration kResolvePause = 5s;
  static constexpr Duration kResolveMax = 60s;  // between look-ups that fail
  static constexpr std::size_t kMaxNames = 4;   // looked up for one server

  /// The references outlive this.
  Services(const ServiceOptions& options, quic::Endpoint& endpoint, const quic::Identity& identity,
           peer::Context& context, const std::vector<SocketAddress>& listening, Rng rng);

  // ---- commands
  void configure(Instant now, const peer::Membership& membership);
  void shutdown(Instant now);
  void network_changed(Instant now);
  /// A packet for a peer. False: no channel, or it is not up; the packet is lost.
  bool send(Via via, ByteView packet) { return clients_.send(via, packet); }
  /// False: the bootstrap is not connected any more.
  bool check_mapping(const MappingCheck::Ask& ask);
  /// What sessions want of channels.
  void take(Instant now, const peer::ChannelWish& wish);

  // ---- input
  /// False: nobody's here.
  bool handle(Instant now, const quic::Event& event);
  bool handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses);
  bool handle_socket(Instant now, Via via, const Result<SocketAddress>& bound);
  void handle_pipe(Instant now, Via via, const Result<SocketAddress>& opened);
  /// Somebody's, who came here.
  Via handle_pipe_accepted(Instant now, const SocketAddress& from) { return pipes_.accepted(now, from, context_.next_via); }
  void handle_pipe_closed(Instant now, Via via);
  /// A STUN message to our socket that checks no path of ours. None: it is not for this node.
  std::optional<Transmit> handle_stun(Instant now, const PathAddress& from, const wire::stun::Decoded& message,
                                      std::size_t size) {
    return stun_ ? stun_->handle_stun(now, from, message, size) : std::nullopt;
  }
  /// Bytes that look like STUN and are none.
  void handle_broken_stun() { if (stun_) stun_->handle_broken(); }
  void handle_timeout(Instant now);
  void settle(Instant now);
  void forward(Instant now) { if (server_) server_->forward(now); }

  // ---- output
  std::optional<service::Arrived> poll_arrived();
  std::optional<Rendezvous::Outcome> poll_outcome() { return rendezvous_.poll_outcome(); }
  /// Where bootstraps answer STUN, which is where they are dialled, one address a family of each: once, whenever these are
  /// others, and not while a name is looked up.
  std::optional<std::vector<SocketAddress>> poll_stun_servers();
  /// To mapped ports of clients.
  std::optional<Transmit> poll_transmit() { return stun_ ? stun_->poll_transmit() : std::nullopt; }
  /// What bootstraps say to check_mapping.
  std::optional<service::MappingAnswered> poll_mapping_answer();
  Instant poll_timeout() const;

  // ---- getters
  /// A socket that answers STUN only.
  bool owns(Via via) const { return stun_ && stun_->owns(via); }
  /// A channel that carries packets.
  bool up(Via via) const { return rendezvous_.up(via); }
  /// A server is connected, or was since the start.
  bool reached_once() const { return reached_once_; }
  bool any_configured() const { return !sites_.empty(); }
  /// A pipe that is open, whoever opened it.
  bool is_pipe(Via via) const { return pipes_.has(via); }
  std::optional<PeerId> server_of(Via via) const { return rendezvous_.server_of(via); }
  std::vector<event::ServerSnapshot> servers() const;
  /// Where servers see this node's own socket.
  std::vector<Sighting> sightings() const;
  /// Another one whenever these may be others.
  std::uint64_t revision() const { return revision_; }
  std::optional<event::ServingSnapshot> serving() const;

 private:
  /// A configured server: where it is, and what became of it.
  struct Site {
    event::ServerSpec spec;
    std::map<std::uint64_t, std::uint16_t> lookups;  // under way: the port of each
    std::vector<PathAddress> found;                  // by the look-ups of this round
    std::vector<SocketAddress> stun;                 // of the last round that found any: one of each family
    Instant resolve_at = kNever;
    Instant resolved_at = kNever;
    Backoff backoff{kResolvePause, kResolveMax};
    std::optional<Instant> up_since;
    std::optional<SocketAddress> observed;
    std::optional<event::ServerError> last_error;
    std::array<std::array<std::uint64_t, 4>, 4> requests{};
    std::array<std::optional<Duration>, 4> response{};
    std::size_t channels = 0;
  };

  void set(Instant now, Site& site, const event::ServerSpec& spec);
  void resolve(Instant now, Site& site);
  void place(Instant now, Site& site);
  void choose_stun(Site& site);
  void fail(Instant now, Site& site, bool was_up, event::ErrorType error, std::string detail);
  void on(Instant now, const service::ServiceUp& e);
  void on(Instant now, const service::ServiceDown& e);
  void on(Instant now, const service::ServiceMoved& e);
  void on(Instant now, const service::AddressObserved& e);
  void on(Instant now, const service::RequestDone& e);
  void on(Instant now, const service::LookupDone& e) { rendezvous_.handle(now, e); }
  void on(Instant now, const service::PeerSeen& e) { rendezvous_.handle(now, e); }
  void on(Instant, const service::MappingAnswered& e) { mapping_answers_.push_back(e); }
  void on(Instant now, const service::ChannelUp& e);
  void on(Instant now, const service::ChannelTurnedAway& e);
  void on(Instant now, const service::PeerObserved& e);
  void on(Instant now, const service::ChannelMoved& e);
  void on(Instant now, const service::ChannelDown& e);
  void on(Instant now, const event::OpenPipe& e);
  void on(Instant now, const event::ClosePipe& e);
  bool refuse_peer(Instant now, const quic::Established& e);
  bool is_stranger(const PeerId& peer) const;
  void close_inbound(Instant now, Via via, const PeerId& server, const PeerId& peer, event::ChannelClosure why);
  void close_unused(Instant now);
  void close_unused_pipes(Instant now);
  Site* find(const PeerId& server);

  ServiceOptions options_;
  peer::Context& context_;
  Rng rng_;
  std::optional<service::Server> server_;
  std::optional<StunService> stun_;
  service::Clients clients_;
  Rendezvous rendezvous_{clients_};
  InboundChannels inbound_;
  Pipes pipes_;
  std::vector<Site> sites_;
  std::vector<SocketAddress> stun_told_;
  bool stun_changed_ = false;
  std::deque<service::Arrived> arrived_;
  std::deque<service::MappingAnswered> mapping_answers_;
  bool reached_once_ = false;
  std::optional<Instant> changed_at_;  // the network, last
  std::uint64_t revision_ = 0;
};

}  // namespace pw::mesh
