// [[segment]], [[router]] and [[host]] as they are written.
#include "config/codec.hpp"
#include "sim/scenario/load.hpp"
#include "sim/scenario/read_link.hpp"

namespace pw::sim::scenario {

using config::Problems;
using config::Raw;

namespace {

constexpr unsigned kMostHops = 63;  // more than the TTL that everybody sends with would let nothing through
constexpr double kFastestMbit = 100'000;
constexpr double kBytesPerMbit = 125'000;
constexpr int kLargestQueueKib = 1 << 20;
constexpr int kSmallestMtu = 68;  // RFC 791
constexpr int kLargestMtu = 65535;
constexpr int kMostMappings = 1 << 24;

config::Codec<Duration> duration() { return config::duration(0s, kLongest); }
config::Codec<Duration> positive() { return config::duration(1ms, kLongest); }
config::Codec<double> probability() { return number(0, 1); }

/// Bytes a second, from megabits.
void read_rate(Fields& in, const char* key, double& rate) {
  double mbit = 0;
  if (in.read(key, number(0, kFastestMbit), mbit)) rate = mbit * kBytesPerMbit;
}

/// `[[host]] "a"` once the name is known.
void read_name(Fields& in, std::string& name) {
  const std::string kind = in.where();
  if (in.require("name", a_name(), name)) in.rename(kind + " \"" + name + "\"");
}

Attachment read_attachment(const Raw& raw, std::string where, Problems& problems) {
  Attachment out;
  Fields in{raw, std::move(where), problems};
  in.require("segment", a_name(), out.segment);
  in.require("addresses", address_list(), out.addresses);
  read_link(in, "link", out.access);
  in.finish();
  return out;
}

void read_nat(Fields& router, std::optional<net::NatOptions>& nat) {
  const Raw* raw = router.raw("nat");
  if (raw == nullptr) return;
  net::NatOptions o;
  Fields in{*raw, router.path("nat"), router.problems()};
  in.read("mapping", config::one_of<net::Dependence>(), o.mapping);
  in.read("filtering", config::one_of<net::Dependence>(), o.filtering);
  in.read("ports", config::one_of<net::PortAllocation>(), o.ports);
  if (in.read("step", whole(-65535, 65535), o.step) && o.step == 0) in.problem("step must not be 0");
  int port = o.first_port;
  if (in.read("first_port", whole(1, 65535), port)) o.first_port = static_cast<std::uint16_t>(port);
  port = o.last_port;
  if (in.read("last_port", whole(1, 65535), port)) o.last_port = static_cast<std::uint16_t>(port);
  if (o.first_port > o.last_port) in.problem("first_port is above last_port");
  in.read("pooling", config::one_of<net::Pooling>(), o.pooling);
  in.read("hairpin", config::one_of<net::Hairpin>(), o.hairpin);
  in.read("timeout", positive(), o.timeout);
  in.read("inbound_refreshes", config::boolean(), o.inbound_refreshes);
  int most = 0;
  if (in.read("max_mappings", whole(1, kMostMappings), most)) o.max_mappings = static_cast<std::size_t>(most);
  in.read("input_accepts", config::boolean(), o.input_accepts);
  in.finish();
  nat = o;
}

void read_firewall(Fields& router, net::FirewallOptions& o) {
  const Raw* raw = router.raw("firewall");
  if (raw == nullptr) return;
  Fields in{*raw, router.path("firewall"), router.problems()};
  in.read("stateful", config::boolean(), o.stateful);
  in.read("timeout", positive(), o.timeout);
  in.read("udp_blocked", config::boolean(), o.udp_blocked);
  in.read("tcp_blocked", config::boolean(), o.tcp_blocked);
  std::vector<std::uint16_t> ports;
  if (in.read("udp_ports", port_list(), ports)) o.udp_ports.insert(ports.begin(), ports.end());
  read_rate(in, "udp_rate_mbit", o.udp_rate);
  in.finish();
}

void read_port_mapper(Fields& router, net::PortMapperOptions& o) {
  const Raw* raw = router.raw("port_mapper");
  if (raw == nullptr) return;
  Fields in{*raw, router.path("port_mapper"), router.problems()};
  in.read("nat_pmp", config::boolean(), o.nat_pmp);
  in.read("pcp", config::boolean(), o.pcp);
  in.read("upnp", config::boolean(), o.upnp);
  in.read("refuses", config::boolean(), o.refuses);
  in.read("lie", config::one_of<net::MapperLie>(), o.lie);
  in.read("max_lifetime", positive(), o.max_lifetime);
  in.finish();
}

Segment read_segment(Fields& in) {
  Segment out;
  read_name(in, out.name);
  read_link(in, "link", out.link);
  int hops = 0;
  if (in.read("hops", whole(0, kMostHops), hops)) out.hops = static_cast<unsigned>(hops);
  in.finish();
  return out;
}

Router read_router(Fields& in) {
  Router out;
  read_name(in, out.name);
  if (const Raw* outer = in.needed("outer")) out.outer = read_attachment(*outer, in.path("outer"), in.problems());
  if (const Raw* inner = in.needed("inner")) out.inner = read_attachment(*inner, in.path("inner"), in.problems());
  in.read("behind", prefix_list(), out.behind);
  read_nat(in, out.options.nat);
  read_firewall(in, out.options.firewall);
  read_port_mapper(in, out.options.port_mapper);
  in.finish();
  return out;
}

Host read_host(Fields& in) {
  Host out;
  read_name(in, out.name);
  if (!in.has("attach"))
    in.problem("has no attach: a host is on a segment");
  for (const Raw* one : in.tables("attach", true))
    out.attach.push_back(read_attachment(*one, in.path("attach"), in.problems()));
  std::vector<std::string> peers;
  if (in.read("peers", name_list(), peers)) out.peers = std::move(peers);
  in.read("hidden", name_list(), out.hidden);
  in.read("start", config::boolean(), out.start);
  std::string serves;
  if (in.read("serves", a_name(), serves)) {
    out.serves_stun = serves == "stun";
    if (!out.serves_stun) in.problem("serves " + config::quoted(serves) + ": only \"stun\" is known");
  }
  in.finish();
  return out;
}

template <class T>
void read_all(Fields& file, const char* key, std::vector<T>& into, std::vector<Places::At>& places,
              T (*read)(Fields&)) {
  for (const Raw* raw : file.tables(key, false)) {
    Fields in{*raw, std::string{"[["} + key + "]]", file.problems()};
    into.push_back(read(in));
    places.push_back({in.place(), in.where()});
  }
}

}  // namespace

void read_link(Fields& parent, const char* key, net::Link& link) {
  const Raw* raw = parent.raw(key);
  if (raw == nullptr) return;
  Fields in{*raw, parent.path(key), parent.problems()};
  in.read("delay", duration(), link.delay);
  in.read("jitter", duration(), link.jitter);
  in.read("in_order", config::boolean(), link.in_order);
  in.read("loss", probability(), link.loss);
  if (const Raw* bursts = in.raw("bursts")) {
    Fields b{*bursts, in.path("bursts"), in.problems()};
    b.read("enter", probability(), link.bursts.enter);
    b.read("leave", probability(), link.bursts.leave);
    b.read("loss", probability(), link.bursts.loss);
    b.finish();
  }
  in.read("reorder", probability(), link.reorder);
  in.read("reorder_by", duration(), link.reorder_by);
  in.read("duplicate", probability(), link.duplicate);
  in.read("corrupt", probability(), link.corrupt);
  read_rate(in, "rate_mbit", link.rate);
  int value = 0;
  if (in.read("queue_kib", whole(1, kLargestQueueKib), value)) link.queue = static_cast<std::size_t>(value) << 10;
  if (in.read("mtu", whole(kSmallestMtu, kLargestMtu), value)) link.mtu = static_cast<std::size_t>(value);
  in.read("up", config::boolean(), link.up);
  in.finish();
}

void read_topology(Fields& file, Draft& draft) {
  read_all(file, "segment", draft.scenario.segments, draft.places.segments, read_segment);
  read_all(file, "router", draft.scenario.routers, draft.places.routers, read_router);
  read_all(file, "host", draft.scenario.hosts, draft.places.hosts, read_host);
}

}  // namespace pw::sim::scenario
