#include "sim/stun/declared.hpp"

#include <algorithm>

namespace pw::net {
namespace {

constexpr auto kEither = Dependence::endpoint_independent;  // of mapping and filtering: does not ask for the remote

/// Two sockets behind one NAT, each aiming at the mapping that the other has towards a server.
bool hairpin_passes(const Behaviour& b) { return b.mapping == kEither || b.filtering == kEither; }

/// The same through two NATs: the packet comes back in through the outer and then the inner one. Where both mappings do
/// not ask for the remote it comes from where the receiver aims at. Where only the inner one does not ask, it comes from
/// another port of the same address. Otherwise from where the receiving mapping never sent to.
bool hairpin_passes(const Behaviour& inner, const Behaviour& outer) {
  if (outer.hairpin == Hairpin::internal_source && inner.filtering != kEither) return false;  // the inner NAT's address
  if (inner.mapping == kEither && outer.mapping == kEither) return true;
  if (outer.filtering != kEither) return false;
  if (inner.mapping == kEither) return inner.filtering != Dependence::address_and_port_dependent;
  return inner.filtering == kEither;
}

template <class T>
std::optional<T> stricter(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b ? std::optional{std::max(*a, *b)} : std::nullopt;
}

std::string text(bool value) { return value ? "yes" : "no"; }
std::string text(int value) { return std::to_string(value); }
std::string text(Duration value) { return std::to_string(to_seconds(value)) + " s"; }
template <class E>
  requires std::is_enum_v<E>
std::string text(E value) {
  return std::string{name(value)};
}

class Comparison {
 public:
  template <class T>
  void axis(const char* which, const std::optional<T>& declared, const std::optional<T>& found) {
    if (!declared || declared == found) return;
    add(which, text(*declared), found ? text(*found) : "nothing");
  }
  void add(const char* which, const std::string& declared, const std::string& found) {
    out_.push_back(std::string{which} + ": declared " + declared + ", found " + found);
  }
  std::vector<std::string> take() { return std::move(out_); }

 private:
  std::vector<std::string> out_;
};

}  // namespace

Behaviour declared_public() {
  Behaviour b;
  b.mapping = b.filtering = Dependence::endpoint_independent;
  return b;
}

Behaviour declared(const NatOptions& options, std::size_t pool) {
  Behaviour b;
  b.translated = true;
  b.mapping = options.mapping;
  b.filtering = options.filtering;
  b.ports = options.ports;
  if (options.ports == PortAllocation::sequential) b.step = options.step;
  b.pooling = pool > 1 ? options.pooling : Pooling::paired;
  b.hairpin = hairpin_passes(b) ? options.hairpin : Hairpin::none;
  b.alive_after = options.timeout;
  b.outbound_refreshes = true;  // REQ-6; no NatBox breaks it
  b.inbound_refreshes = options.inbound_refreshes;
  return b;
}

Behaviour declared(const FirewallOptions& options) {
  Behaviour b = declared_public();
  b.udp_blocked = options.udp_blocked;
  if (b.udp_blocked) {
    b.mapping = b.filtering = std::nullopt;
  } else if (options.stateful) {
    b.filtering = Dependence::address_and_port_dependent;
    b.alive_after = options.timeout;
    b.outbound_refreshes = b.inbound_refreshes = true;
  }
  return b;
}

Behaviour behind(const Behaviour& inner, const Behaviour& outer) {
  Behaviour b;
  b.udp_blocked = inner.udp_blocked || outer.udp_blocked;
  if (b.udp_blocked) return b;
  b.translated = inner.translated || outer.translated;
  b.mapping = stricter(inner.mapping, outer.mapping);
  b.filtering = stricter(inner.filtering, outer.filtering);
  const bool inner_shows = !outer.translated || outer.ports == PortAllocation::preserving;
  b.ports = inner_shows && inner.translated ? inner.ports : outer.ports;
  b.step = inner_shows && inner.translated ? inner.step : outer.step;
  if (!outer.translated) {
    b.pooling = inner.pooling;
    b.hairpin = inner.hairpin;  // its packets never reach the outer one
  } else {
    if (outer.pooling == Pooling::arbitrary || inner.pooling != Pooling::arbitrary) b.pooling = outer.pooling;
    b.hairpin = hairpin_passes(inner, outer) ? outer.hairpin : Hairpin::none;
  }
  b.alive_after = inner.alive_after && outer.alive_after ? std::min(inner.alive_after, outer.alive_after)
                  : inner.alive_after                    ? inner.alive_after
                                                         : outer.alive_after;
  if (inner.outbound_refreshes == outer.outbound_refreshes) b.outbound_refreshes = inner.outbound_refreshes;
  if (inner.inbound_refreshes == outer.inbound_refreshes) b.inbound_refreshes = inner.inbound_refreshes;
  return b;
}

std::vector<std::string> differences(const Behaviour& declared, const Behaviour& found) {
  Comparison c;
  if (declared.udp_blocked != found.udp_blocked) c.add("UDP blocked", text(declared.udp_blocked), text(found.udp_blocked));
  if (declared.translated != found.translated) c.add("translated", text(declared.translated), text(found.translated));
  c.axis("mapping", declared.mapping, found.mapping);
  c.axis("filtering", declared.filtering, found.filtering);
  c.axis("ports", declared.ports, found.ports);
  c.axis("step", declared.step, found.step);
  c.axis("pooling", declared.pooling, found.pooling);
  c.axis("hairpin", declared.hairpin, found.hairpin);
  if (declared.alive_after && found.alive_after) {  // it was asked
    const bool dead_by_then = found.dead_after && *declared.alive_after >= *found.dead_after;
    if (*declared.alive_after < *found.alive_after || dead_by_then)
      c.add("time-out", text(*declared.alive_after),
            text(*found.alive_after) + " to " + (found.dead_after ? text(*found.dead_after) : "more"));
    if (found.dead_after) c.axis("outbound refreshes", declared.outbound_refreshes, found.outbound_refreshes);
    if (found.dead_after) c.axis("inbound refreshes", declared.inbound_refreshes, found.inbound_refreshes);
  }
  return c.take();
}

}  // namespace pw::net
