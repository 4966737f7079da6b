// Rendezvous: ways to peers through servers. Looks a peer up at the bootstraps, the quickest first, and opens a channel
// through a relay that both know, or through a bootstrap that carries a little. Keeps the channels that are up.
//
// A server may lie. What it says of peers costs requests to itself only, and is heeded so often; one whose answers led
// nowhere is asked after the others.
//
// A search that finds nothing goes on waiting until its deadline: a server that comes up, or says that the peer has come,
// wakes it. So nobody polls, and two that start at the same moment find one another as soon as both are there.
//
// Order of calls: after every command and input drain poll_outcome and rearm at poll_timeout. `now` never runs backwards.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/token_bucket.hpp"
#include "peer/context.hpp"
#include "service/clients.hpp"

namespace pw::mesh {

class Rendezvous {
 public:
  static constexpr Duration kPatience = 10s;  // as a handshake has
  /// Steps of all searches together that ask one server. It takes ten requests a second of us, and keep-alives have to be
  /// left some.
  static constexpr double kStepsPerSecond = 5;
  static constexpr double kStepsBurst = 40;
  /// News of peers from one server. As many at once as a server says; more than that every second is no news.
  static constexpr double kNewsPerSecond = 1;
  static constexpr double kNewsBurst = 100;
  static constexpr Duration kRetry = 100ms;      // of a step that was one too many
  /// Between two look-ups of the whole mesh, besides what bootstraps tell by themselves: a peer that is there and was not
  /// reached is known on by it.
  static constexpr Duration kSurvey = 4min;
  static constexpr std::size_t kMaxThrough = 4;  // servers that a channel is tried through, in one search

  /// This node opened a channel, as it was asked to.
  struct Reached { PeerId peer; Via via; };
  struct Missed { PeerId peer; peer::NoChannel answer; };
  /// A channel that was up, whoever had opened it, is no more.
  struct Lost { PeerId peer; Via via; };
  /// A bootstrap says that the peer has come.
  struct Present { PeerId peer; };
  /// What carries a channel is another connection to its server.
  struct Moved { PeerId peer; Via via; };
  using Outcome = std::variant<Reached, Missed, Lost, Present, Moved>;

  /// `clients` outlives this.
  explicit Rendezvous(service::Clients& clients) : clients_{clients} {}

  // ---- commands
  /// Whether peers are wanted that nobody named: whoever of the mesh is present at a bootstrap is told of.
  void survey(Instant now, bool wanted);
  void take(Instant now, const peer::ChannelWish& wish);

  // ---- input
  void handle(Instant now, const service::ServiceUp& e);
  void handle(Instant now, const service::LookupDone& e);
  void handle(Instant now, const service::PeerSeen& e);
  void handle(Instant now, const service::ChannelUp& e);
  void handle(Instant now, const service::ChannelDown& e);
  void handle(Instant now, const service::ChannelMoved& e);
  void handle_timeout(Instant now);

  // ---- output
  std::optional<Outcome> poll_outcome();
  Instant poll_timeout() const;

  // ---- getters
  bool up(Via via) const { return channels_.contains(via); }
  std::optional<PeerId> server_of(Via via) const {
    const auto channel = channels_.find(via);
    return channel == channels_.end() ? std::nullopt : std::optional{channel->second.server};
  }

 private:
  struct Question {
    PeerId server;
    std::uint32_t request;
  };
  struct Search {
    Instant until{};
    bool beside = false;                 // as the wish says
    Instant next = kNever;               // the budget was used up
    std::optional<Question> question;    // a look-up under way
    std::optional<Via> via;              // a channel on its way
    std::vector<PeerId> asked;           // bootstraps, of this round
    std::deque<PeerId> through;          // servers that are left to try
    std::optional<PeerId> led_by;        // the bootstrap that said so
    peer::NoChannel answer{"no bootstrap is connected"};
  };
  struct Channel {
    PeerId server;
    PeerId peer;
    bool ours = false;  // opened by this node
  };

  void on(Instant now, const peer::SeekChannel& wish);
  void on(Instant now, const peer::AbandonSearch& wish);
  void on(Instant now, const peer::ReleaseChannel& wish);
  void on(Instant now, const peer::DoubtChannel& wish);
  void step(Instant now, const PeerId& peer, Search& search);
  bool open(Instant now, const PeerId& peer, Search& search);
  bool ask(Instant now, const PeerId& peer, Search& search);
  void led_nowhere(Search& search);
  void look_around(Instant now);
  void close(const PeerId& server, Via via);
  bool leads_to(const PeerId& server, const PeerId& peer) const;
  bool is_beside(const service::Client& server, const PeerId& peer) const;

  /// How a server is dealt with.
  struct Standing {
    TokenBucket steps{kStepsPerSecond, kStepsBurst};
    TokenBucket news{kNewsPerSecond, kNewsBurst};
    unsigned in_vain = 0;  // look-ups in a row that were not answered, or led nowhere
  };
  Standing& standing(const PeerId& server);

  service::Clients& clients_;
  std::map<PeerId, Standing> standings_;
  std::map<PeerId, Search> searches_;
  Instant survey_at_ = kNever;          // unless it is not wanted
  bool surveys_ = false;
  std::map<Via, Channel> channels_;     // up
  std::map<Via, PeerId> opening_;       // asked for: the server
  std::deque<Outcome> outcomes_;
};

}  // namespace pw::mesh
