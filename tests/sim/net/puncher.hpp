// Two plain programs that punch through NATs, and a rendezvous that tells each about the other: nothing of the daemon, so
// that what it can ever reach is known without it. And places for them: behind every kind of NAT.
#pragma once

#include <array>
#include <charconv>
#include <deque>

#include "sim/net/recorder.hpp"

namespace pw::net {

/// The columns of a matrix of pairs. Hard NATs filter by address and port.
enum class Place : std::uint8_t { open, eif, adf, apdf, adm, sequential, random, carrier, no_udp };
constexpr auto names(Place) {
  using namespace std::string_view_literals;
  return std::array{"public"sv,   "EIM/EIF"sv,  "EIM/ADF"sv,          "EIM/APDF"sv, "ADM"sv,
                    "APDM seq"sv, "APDM rnd"sv, "carrier's NAT"sv, "no UDP"sv};
}

inline constexpr std::size_t kPlaces = enum_count<Place>();

/// What traverses each pair at best. P: plain punching. S: prediction of the next port. B: only a search of many ports.
/// R: none of these.
inline constexpr std::array<std::string_view, kPlaces> kMatrix{
    // public EIF ADF APDF ADM seq rnd carrier no-UDP
    "PPPPPPPPR",  // public
    "PPPPPPPPR",  // EIM/EIF
    "PPPPPPPPR",  // EIM/ADF
    "PPPPBSBPR",  // EIM/APDF
    "PPPBRRRBR",  // ADM
    "PPPSRSRSR",  // APDM seq
    "PPPBRRRBR",  // APDM rnd
    "PPPPBSBPR",  // carrier's NAT
    "RRRRRRRRR",
};

inline NatOptions nat_at(Place place) {
  NatOptions o;
  if (place == Place::eif) o.filtering = Dependence::endpoint_independent;
  if (place == Place::adf) o.filtering = Dependence::address_dependent;
  if (place == Place::adm) o.mapping = Dependence::address_dependent;
  if (place == Place::sequential || place == Place::random) o.mapping = Dependence::address_and_port_dependent;
  if (place == Place::adm || place == Place::random) o.ports = PortAllocation::random;
  if (place == Place::sequential) o.ports = PortAllocation::sequential;
  return o;
}

/// `plain`: probes to where the rendezvous saw the other. `predicting`: it asks twice, and if the ports differ, the other
/// probes the next ones in steps of the difference. `opening`: plain, but first a packet that goes few hops, and checks
/// a while later.
enum class Method : std::uint8_t { plain, predicting, opening };

/// Two servers, since a mapping may depend on the address, both of which the one program sees.
struct Rendezvous {
  static constexpr std::size_t kPunchers = 2;

  Rendezvous(Net& n, Segment& core, Duration lateness)
      : net{n}, late{lateness}, first{n, core, "rendezvous", "9.0.0.1"}, second{n, core, "rendezvous 2", "9.0.0.2"} {
    first.on_arrival = [this](Instant, const Arrival& a) { heard(0, a); };
    second.on_arrival = [this](Instant, const Arrival& a) { heard(1, a); };
  }
  /// "hello 0 1": who, and how often it asks.
  void heard(std::size_t server, const Arrival& a) {
    const std::string_view text = as_text(a.bytes);
    if (!text.starts_with("hello ")) return;
    const auto who = static_cast<std::size_t>(text.at(6) - '0');
    asks[who] = static_cast<std::size_t>(text.at(8) - '0');
    seen.at(who).at(server) = a.path.remote;
    for (std::size_t i = 0; i < kPunchers; ++i)
      if (asks[i] == 0 || seen[i][0].port == 0 || (asks[i] == 2 && seen[i][1].port == 0)) return;
    tell(0);
    net.at(net.now() + late, [this] { tell(1); });
  }
  /// "peer STEP ADDRESS": where the other was seen last, and what was added since it was seen before.
  void tell(std::size_t who) {
    const auto& other = seen[1 - who];
    const SocketAddress last = asks[1 - who] == 2 ? other[1] : other[0];
    first.send(seen[who][0], "peer " + std::to_string(last.port - other[0].port) + " " + last.to_string());
  }

  Net& net;
  Duration late;  // of the second puncher's notice
  Recorder first;
  Recorder second;
  std::array<std::array<SocketAddress, 2>, kPunchers> seen{};
  std::array<std::size_t, kPunchers> asks{};
};

class Puncher {
 public:
  static constexpr int kWindow = 20;  // ports that a predictor probes
  static constexpr Duration kEvery = 50ms;
  static constexpr Duration kOpened = 300ms;  // from an opener to the first check: the other has opened too
  static constexpr std::size_t kMaxTargets = 64;

  Puncher(Net& net, Segment& segment, std::size_t number, std::string_view address, Method m, std::uint8_t hops = 0)
      : method{m},
        opener_ttl{hops},
        number_{number},
        program{net, segment, "puncher " + std::to_string(number), address} {
    program.on_arrival = [this](Instant now, const Arrival& a) { hear(now, a); };
    program.on_timeout = [this](Instant now) { probe(now); };
  }
  void start(const Rendezvous& rendezvous) {
    const bool twice = method == Method::predicting;
    const std::string hello = "hello " + std::to_string(number_) + (twice ? " 2" : " 1");
    program.send(rendezvous.first.address(), hello);
    if (twice) program.send(rendezvous.second.address(), hello);
  }

  /// It aims at these, again and again, until it is connected.
  void aim(const SocketAddress& at) {
    if (targets.size() < kMaxTargets && std::ranges::find(targets, at) == targets.end()) targets.push_back(at);
  }
  void probe(Instant now) {
    for (const SocketAddress& target : targets) program.send(target, "probe");
    if (!connected) program.set_timer(now + kEvery);
  }

  const Method method;
  const std::uint8_t opener_ttl;
  std::optional<Instant> told;
  std::optional<Instant> connected;  // the other answered a probe of ours
  std::deque<SocketAddress> targets;

 private:
  void hear(Instant now, const Arrival& a) {
    const std::string_view text = as_text(a.bytes);
    if (text == "answer" && !connected) connected = now;
    if (text == "probe") {
      program.send(a.path.remote, "answer");
      aim(a.path.remote);  // it may come from where nobody expected it
    }
    if (text.starts_with("peer ") && !told) be_told(now, text.substr(5));
  }
  void be_told(Instant now, std::string_view text) {
    told = now;
    int step = 0;
    const char* const end = std::from_chars(text.data(), text.data() + text.size(), step).ptr;
    SocketAddress peer = SocketAddress::parse(text.substr(static_cast<std::size_t>(end - text.data()) + 1)).value();
    if (step == 0) aim(peer);
    for (int i = 0; step != 0 && i < kWindow; ++i) {
      peer.port = static_cast<std::uint16_t>(peer.port + step);
      if (peer.port != 0) aim(peer);
    }
    if (method != Method::opening) return probe(now);
    program.send(peer, "open", opener_ttl);
    program.set_timer(now + kOpened);
  }
  std::size_t number_;
  Recorder program;
};

/// Two places on one internet.
class Pair {
 public:
  struct Conditions {
    Method method = Method::plain;
    Duration late{};               // from the first one's notice to the second's
    unsigned hops = 1;             // in the core
    std::uint8_t opener_ttl = 2;
    bool input_accepts = false;    // of the NATs that face the core
    std::uint64_t seed = 1;
  };
  static constexpr Duration kDelay = 20ms;  // across the core

  Pair(Place a, Place b, const Conditions& c)
      : net{c.seed}, core{net.add_segment("core", Link{.delay = kDelay}, c.hops)}, rendezvous{net, core, c.late} {
    settle(0, a, c);
    settle(1, b, c);
  }
  /// Both have reached each other within this time of the later one's notice.
  bool connects(Duration within = 1s) {
    for (auto& p : punchers) p->start(rendezvous);
    net.run_until(net.now() + 4 * kDelay + rendezvous.late + within + Puncher::kOpened);
    return std::ranges::all_of(punchers, [&](const auto& p) {
      return p->connected && *p->connected - std::max(*punchers[0]->told, *punchers[1]->told) <= within;
    });
  }
  /// The router of that puncher that faces the core.
  Router& router(std::size_t i) { return *routers.at(i); }
  Segment& lan(std::size_t i) { return *lans.at(i); }

  Net net;
  Segment& core;
  Rendezvous rendezvous;
  std::array<std::unique_ptr<Puncher>, 2> punchers;

 private:
  void settle(std::size_t i, Place place, const Conditions& c) {
    const std::string n = std::to_string(i);
    const std::string outer = "9.1.0." + n;
    if (place == Place::open) {
      punchers[i] = std::make_unique<Puncher>(net, core, i, outer, c.method, c.opener_ttl);
      return;
    }
    RouterOptions options;
    options.nat = nat_at(place);
    options.nat->input_accepts = c.input_accepts;
    options.firewall.udp_blocked = place == Place::no_udp;
    routers[i] = &net.add_router("router " + n, options);
    routers[i]->attach_outer(core, {ip(outer)});
    lans[i] = &net.add_segment("lan " + n);
    if (place == Place::carrier) {
      Segment& inside = net.add_segment("carrier " + n);
      routers[i]->attach_inner(inside, {ip("100.64.0.1")});
      Router& home = net.add_router("home " + n, {.nat = NatOptions{}, .firewall = {}, .port_mapper = {}});
      home.attach_outer(inside, {ip("100.64.0.2")});
      home.attach_inner(*lans[i], {ip("10.0.0.1")});
    } else {
      routers[i]->attach_inner(*lans[i], {ip("10.0.0.1")});
    }
    punchers[i] = std::make_unique<Puncher>(net, *lans[i], i, "10.0.0.2", c.method, c.opener_ttl);
  }
  std::array<Router*, 2> routers{};
  std::array<Segment*, 2> lans{};
};

}  // namespace pw::net
