#include "failover.hpp"

namespace pw::sim {

using event::PathHealth;
using event::PathKind;

namespace {

/// Pings of one size, as a home's machine sends them: to the other home, and to the server. A packet to the server may carry
/// several: its congestion control holds one back for the next.
class Pings : public net::Observer {
 public:
  Pings(World& world, const Host& from, const Host& server, std::uint32_t size)
      : world_{world}, from_{from}, server_{server}, size_{size} {
    world_.net.add_observer(*this);
  }
  ~Pings() override { world_.net.remove_observer(*this); }
  void sent(Instant at, const net::Machine& from, const net::Packet& packet) override {
    if (&from != &from_.machine()) return;
    auto& to = packet.destination == server_.address() ? relayed : direct;
    if (&to == &direct && wire::stun::decode(packet.payload)) return;
    to.insert(to.end(), packet.payload.size() / size_, at);
  }
  static std::size_t between(const std::vector<Instant>& all, Instant from, Instant to) {
    return static_cast<std::size_t>(std::ranges::lower_bound(all, to) - std::ranges::upper_bound(all, from));
  }
  std::vector<Instant> direct, relayed;

 private:
  World& world_;
  const Host& from_;
  const Host& server_;
  const std::uint32_t size_;
};

/// Answers to a home's checks, as its machine gets them: the last by the direct path, and the first through the relay since
/// the home began to send packets there.
class Answers : public net::Observer {
 public:
  Answers(World& world, const Host& at, const Host& server) : world_{world}, at_{at}, server_{server} {
    world_.net.add_observer(*this);
  }
  ~Answers() override { world_.net.remove_observer(*this); }
  void arrived(Instant at, const net::Machine& machine, const net::Packet& packet) override {
    if (&machine != &at_.machine()) return;
    const std::size_t size = packet.payload.size();
    if (packet.source == server_.address()) {
      if (size >= kLeast && size <= kMost) relayed.push_back(at);
    } else if (const auto m = wire::stun::decode(packet.payload); m && m->message.kind == wire::stun::Class::success) {
      direct.push_back(at);
    }
  }
  /// `carried`: from when on packets went both ways.
  std::optional<Duration> gap(Instant carried) const {
    const auto first = std::ranges::lower_bound(relayed, carried);
    const auto last = std::ranges::lower_bound(direct, carried);
    if (first == relayed.end() || last == direct.begin()) return std::nullopt;
    return *first - *(last - 1);
  }
  std::vector<Instant> direct, relayed;

 private:
  // Small answers have 92 bytes there, the channel's number 2, QUIC 29 to 32. Requests have 120.
  static constexpr std::size_t kLeast = 115, kMost = 135;
  World& world_;
  const Host& at_;
  const Host& server_;
};

}  // namespace

bool FailingPath::begin() {
  h.w.start_all();
  if (!h.w.run_until([&] { return h.direct(); }, 30s)) return false;
  h.w.run_for(15s);
  return h.direct() && h.a->peer(*h.b).paths.size() == 2 && h.b->peer(*h.a).paths.size() == 2;
}

void FailingPath::talk(std::uint32_t size) {
  size_ = size;
  if (size > 0 && !talking_) ping();
}

void FailingPath::ping() {
  talking_ = size_ > 0;
  if (!talking_) return;
  for (const std::size_t end : {0U, 1U}) {
    ends()[end]->command(event::Ping{other(end).id(), size_});
  }
  h.w.net.at(h.w.now() + kPing, [this] { ping(); });
}

void FailingPath::inflict(Break how) {
  const std::size_t from = how == Break::back ? h.b->index() : h.a->index();
  const std::size_t to = how == Break::back ? h.a->index() : h.b->index();
  const auto kind = how == Break::both_ways ? FaultKind::link_down
                    : how == Break::large   ? FaultKind::large_lost
                                            : FaultKind::one_way;
  broken_ = faults.inflict({.kind = kind, .host = from, .other = to, .router = nullptr, .amount = kNarrow, .lasts = {}});
}

Failover FailingPath::run(Break how, bool traffic) {
  Failover f;
  if (!begin()) {
    f.wrong = "the session did not go direct with the relay beside it";
    return f;
  }
  for (const std::size_t end : {0U, 1U})
    for (const auto& path : ends()[end]->peer(other(end)).paths) {
      if (path.in_use) f.timeout[end] = probe::Liveness::timeout_of(path.rtt, {});
      (path.in_use ? f.direct_rtt : f.relay_rtt) = path.rtt.value_or(Duration{});
    }
  std::array answers{Answers{h.w, *h.a, h.server}, Answers{h.w, *h.b, h.server}};
  const std::uint32_t size = how == Break::large ? kLargePing : kSmallPing;
  if (traffic) talk(size);
  h.w.run_for(2s + h.w.net.rng_for("when").up_to(1s));
  for (Host* host : ends()) host->events.clear();
  std::array pings{Pings{h.w, *h.a, h.server, size}, Pings{h.w, *h.b, h.server, size}};
  const Instant broken = h.w.now();
  inflict(how);
  h.w.run_for(kBroken);
  const Instant whole = h.w.now();
  mend();
  h.w.run_for(kReturns);
  talk(0);
  h.w.run_for(2s);
  for (const std::size_t end : {0U, 1U}) {
    const Host& host = *ends()[end];
    if (how == Break::large) {
      // Small packets pass: what shows is that large ones go both ways.
      if (!pings[end].relayed.empty()) f.suspect[end] = pings[end].relayed.front() - broken;
    } else {
      for (const auto& r : host.events)
        if (const auto* e = std::get_if<event::PathHealthChanged>(&r.event);
            e && e->path == PathKind::direct_v4 && e->to == PathHealth::suspect && !f.suspect[end])
          f.suspect[end] = r.at - broken;
    }
  }
  if (!f.suspect[0] || !f.suspect[1]) {
    f.wrong = "an end notices nothing";
    return f;
  }
  for (const std::size_t end : {0U, 1U}) {
    f.seen[end] = answers[end].gap(broken + *f.suspect[end]);
    for (const auto& r : ends()[end]->events) {
      if (const auto* e = std::get_if<event::PathFailedOver>(&r.event)) f.told[end] = e->took;
      if (const auto* e = std::get_if<event::PathChanged>(&r.event)) {
        if (e->reason == event::PathChangeReason::path_lost && f.lost[end]++ == 0) {
          const Instant since = broken + *f.suspect[end];
          f.on_both[end] = Pings::between(pings[end].relayed, since, r.at);
          f.on_one[end] = Pings::between(pings[end].direct, since, r.at);
        }
        f.upgraded[end] += e->reason == event::PathChangeReason::upgraded ? 1 : 0;
      }
      if (const auto* e = std::get_if<event::EchoMeasured>(&r.event)) {
        const Instant asked = r.at - e->rtt;
        if (asked >= broken && !f.echo[end]) f.echo[end] = r.at - broken;
        if (asked >= broken + f.noticed() && asked < whole) f.slowest_later[end] = std::max(f.slowest_later[end], e->rtt);
        if (asked >= whole) f.slowest_return[end] = std::max(f.slowest_return[end], e->rtt);
      }
    }
  }
  if (!h.direct()) f.wrong = "it does not come back to the direct path";
  for (const Host* host : ends()) {
    for (const auto& [ticket, answer] : host->answers)
      if (!answer) f.wrong = host->name() + " has a ping without an answer";
    if (host->count<event::SessionEnded>() != 0) f.wrong = host->name() + " has lost the session";
  }
  if (f.wrong.empty()) f.wrong = broken_rule(h.w);
  return f;
}

}  // namespace pw::sim
