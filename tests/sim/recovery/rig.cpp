#include "sim/recovery/rig.hpp"

#include <algorithm>

namespace pw::sim::recovery {

using event::PathHealth;
using event::PathKind;

Rig::Rig(std::uint64_t seed, const Home& first, const Home& second, bool second_server)
    : TwoHomes{seed, first, second}, faults{w}, servers{&server} {
  Rng rng = w.net.rng_for("distances");
  const auto apart = [&](const Host& one, const Host& two) {
    net::Link link;
    link.delay = 5ms + rng.up_to(55ms);
    w.both_ways(one, two, link);
  };
  if (second_server) {
    Host& other = w.add("server 2");
    other.options.services.server = server.options.services.server;
    other.membership.peers = {by_id(*a), by_id(*b)};
    servers.push_back(&other);
    for (Host* host : {a, b}) host->membership.servers.push_back(other.server_spec(true, true));
  }
  apart(*a, *b);
  for (const Host* one : servers)
    for (const Host* host : {a, b}) apart(*host, *one);
}

bool Rig::begin(bool direct) {
  w.start_all();
  const auto there = [&] { return direct ? TwoHomes::direct() : relayed(); };
  if (!w.run_until(there, 30s)) return false;
  ping();
  w.run_for(kSettles + w.net.rng_for("when").up_to(2s));
  return there();
}

void Rig::ping() {
  for (const std::size_t i : {0U, 1U})
    if (end(i).running() && !end(i).machine().asleep()) end(i).command(event::Ping{end(1 - i).id(), 0});
  w.net.at(w.now() + kPing, [this] { ping(); });
}

Faults::Id Rig::inflict(FaultKind kind, std::size_t host, std::optional<Duration> lasts, std::optional<std::size_t> other, double amount,
                        net::Router* router) {
  broken = w.now();
  packets_before_ = w.packets_sent();
  for (Host* one : {a, b}) one->events.clear();
  return faults.inflict({.kind = kind, .host = host, .other = other, .router = router, .amount = amount, .lasts = lasts});
}

std::optional<Duration> Rig::first_echo(const Host& host, Instant from) const {
  for (const auto& r : host.events)
    if (const auto* e = std::get_if<event::EchoMeasured>(&r.event); e != nullptr && r.at - e->rtt >= from) return r.at - from;
  return std::nullopt;
}

Duration Rig::noticed(const Host& host) const {
  for (const auto& r : host.events) {
    const auto* health = std::get_if<event::PathHealthChanged>(&r.event);
    if ((health != nullptr && health->to != PathHealth::proved) || std::holds_alternative<event::PathChanged>(r.event) ||
        std::holds_alternative<event::SessionEnded>(r.event))
      return r.at - broken;
  }
  return Duration{};
}

Outcome Rig::outcome(Instant from, Duration limit) {
  Outcome o;
  const auto back = [&] { return first_echo(*a, from) && first_echo(*b, from); };
  if (w.run_until(back, limit)) o.took = std::max(*first_echo(*a, from), *first_echo(*b, from));
  o.packets = w.packets_sent() - packets_before_;
  if (from == broken) o.noticed = std::max(noticed(*a), noticed(*b));
  for (const Host* one : {a, b}) o.sessions_lost += static_cast<unsigned>(one->count<event::SessionEnded>());
  for (const auto& path : a->peer(*b).paths)
    if (path.in_use && path.rtt) o.least = *path.rtt;
  o.broken = broken_rule(w);
  return o;
}

Host& Rig::relay_in_use() {
  for (const auto& path : a->peer(*b).paths)
    for (Host* one : servers)
      if (path.in_use && path.relay == one->id()) return *one;
  return server;
}

}  // namespace pw::sim::recovery
