// NatBox against its naive twin: the same random life, everything compared.
#include "sim/net/nat_twin.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>

namespace pw::net {
namespace {

constexpr int kLives = 16;        // of each combination, each with other times, ranges, pools
constexpr int kOperations = 600;  // of each life: with 81 combinations 777,600

IpAddress ip(std::uint8_t a, std::uint64_t d) { return IpAddress::v4({a, 0, 0, static_cast<std::uint8_t>(d)}); }

/// Few hosts, remotes and ports, short times: everything collides, fills up and expires all the time.
struct Life {
  Rng rng;
  NatOptions options;
  std::vector<IpAddress> pool;
  NatBox box;
  NatTwin twin;
  Instant now{1h};
  std::map<std::string_view, int> outcomes;
  std::vector<SocketAddress> given;  // outer endpoints, the last few

  Life(std::uint64_t seed, NatOptions o) : Life{Rng{seed}, o} {}
  Life(Rng r, NatOptions o)
      : rng{r}, options{drawn(rng, o)}, pool{drawn_pool(rng)}, box{options, pool, Rng{7}}, twin{options, pool, Rng{7}} {}

  static NatOptions drawn(Rng& rng, NatOptions o) {
    static constexpr std::array kSteps{1, 2, 7, -1, -3, 100, -100};
    o.step = kSteps[rng.below(kSteps.size())];
    o.first_port = static_cast<std::uint16_t>(1020 + rng.below(10));
    o.last_port = static_cast<std::uint16_t>(o.first_port + rng.below(20));
    if (rng.chance(0.1)) o.first_port = static_cast<std::uint16_t>((o.last_port = 65535) - rng.below(9));
    o.pooling = rng.chance(0.5) ? Pooling::paired : Pooling::arbitrary;
    o.timeout = 1s + rng.up_to(20s);
    o.tcp_timeout = 1s + rng.up_to(40s);
    o.inbound_refreshes = rng.chance(0.5);
    o.max_mappings = 1 + rng.below(30);
    o.input_accepts = rng.chance(0.5);
    o.input_tracking = 1s + rng.up_to(15s);
    return o;
  }
  static std::vector<IpAddress> drawn_pool(Rng& rng) {
    std::vector<IpAddress> pool{ip(100, 1 + rng.below(3))};
    while (rng.chance(0.4) && pool.size() < 3) pool.push_back(ip(100, 10 + pool.size()));
    return pool;
  }

  std::uint16_t port() { return static_cast<std::uint16_t>(options.first_port - 2 + static_cast<int>(rng.below(26))); }
  SocketAddress inner() { return {ip(10, rng.below(3)), static_cast<std::uint16_t>(1024 + rng.below(5))}; }
  SocketAddress outer() {
    if (!given.empty() && rng.chance(0.6)) return given[rng.below(given.size())];
    return {rng.chance(0.05) ? ip(100, 99) : pool[rng.below(pool.size())], port()};
  }
  SocketAddress remote() {
    if (rng.chance(0.2)) return outer();  // hairpin, and a forged source
    return {ip(9, rng.below(2)), static_cast<std::uint16_t>(80 + rng.below(2))};
  }
  Protocol protocol() { return rng.chance(0.7) ? Protocol::udp : Protocol::tcp; }

  void both(Packet packet, bool inside) {
    Packet theirs = packet;
    const auto a = inside ? box.from_inside(now, packet) : box.from_outside(now, packet);
    const auto b = inside ? twin.from_inside(now, theirs) : twin.from_outside(now, theirs);
    REQUIRE(a.way == b.way);
    ++outcomes[a.way == NatBox::Way::out ? "out" : a.way == NatBox::Way::in ? "in" : name(a.reason)];
    if (a.way == NatBox::Way::drop) REQUIRE(name(a.reason) == name(b.reason));
    if (a.way == NatBox::Way::out && (given.size() < 6 || rng.chance(0.5))) {
      given.push_back(packet.source);
      if (given.size() > 6) given.erase(given.begin());
    }
    REQUIRE(packet.source.to_string() == theirs.source.to_string());
    REQUIRE(packet.destination.to_string() == theirs.destination.to_string());
  }
  Packet packet(SocketAddress from, SocketAddress to) {
    Packet p;
    p.protocol = protocol();
    p.source = from;
    p.destination = to;
    return p;
  }

  void map() {
    const SocketAddress in = inner();
    const Protocol p = protocol();
    const std::uint16_t wanted = rng.chance(0.3) ? std::uint16_t{0} : port();
    const Instant until = rng.chance(0.1) ? kNever : now + rng.up_to(60s);
    const auto a = box.map(now, in, p, wanted, until);
    const auto b = twin.map(now, in, p, wanted, until);
    REQUIRE(a.has_value() == b.has_value());
    if (a) REQUIRE(a->to_string() == b->to_string());
  }

  void step() {
    const std::uint64_t what = rng.below(1000);
    if (what < 450) both(packet(inner(), remote()), true);
    else if (what < 800) both(packet(remote(), outer()), false);
    else if (what < 940) now += rng.chance(0.9) ? rng.up_to(2s) : rng.up_to(30s);
    else if (what < 970) map();
    else if (what < 985) {
      const SocketAddress in = inner();
      const Protocol p = protocol();
      box.unmap(in, p);
      twin.unmap(in, p);
    } else if (what < 988) {
      box.reboot();
      twin.reboot();
    } else if (what < 990) {
      pool = drawn_pool(rng);
      box.change_addresses(pool);
      twin.change_addresses(pool);
    }
    const SocketAddress in = inner();
    const SocketAddress to = remote();
    REQUIRE(box.outer_of(now, in, to) == twin.outer_of(now, in, to));
    REQUIRE(box.mappings(now) == twin.mappings(now));
    REQUIRE(box.mappings(now) <= options.max_mappings);
    REQUIRE_FALSE(twin.overloaded());
  }
};

template <class E>
std::vector<E> all() {
  std::vector<E> values;
  for (std::size_t i = 0; i < enum_count<E>(); ++i) values.push_back(static_cast<E>(i));
  return values;
}

TEST_CASE("a NAT box and its naive twin agree on every packet, for every combination of behaviours") {
  std::map<std::string_view, int> outcomes;
  for (const Dependence mapping : all<Dependence>())
    for (const Dependence filtering : all<Dependence>())
      for (const Hairpin hairpin : all<Hairpin>())
        for (const PortAllocation ports : all<PortAllocation>())
          for (int life = 0; life < kLives; ++life) {
            NatOptions o;
            o.mapping = mapping;
            o.filtering = filtering;
            o.hairpin = hairpin;
            o.ports = ports;
            INFO(name(mapping) << ' ' << name(filtering) << ' ' << name(hairpin) << ' ' << name(ports) << ' ' << life);
            Life both{static_cast<std::uint64_t>(life), o};
            for (int i = 0; i < kOperations; ++i) {
              INFO("operation " << i);
              both.step();
            }
            for (const auto& [what, times] : both.outcomes) outcomes[what] += times;
          }
  // All that may happen to a packet did, often.
  for (const auto what : {"out", "in", "no_mapping", "filtered", "table_full", "ports_exhausted", "no_hairpin"}) {
    INFO(what);
    CHECK(outcomes[what] > 5000);
  }
}

}  // namespace
}  // namespace pw::net
