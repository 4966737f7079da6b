// What of RFC 4787 a set of options breaks.
#include "sim/net/nat.hpp"

namespace pw::net {

std::vector<std::string> broken_requirements(const NatOptions& options, std::size_t pool) {
  std::vector<std::string> broken;
  const auto unless = [&](bool kept, const char* what) {
    if (!kept) broken.emplace_back(what);
  };
  unless(options.mapping == Dependence::endpoint_independent, "REQ-1: mapping is not endpoint-independent");
  // "Note that this requirement is not applicable to NATs that do not support IP address pooling."
  unless(options.pooling == Pooling::paired || pool < 2, "REQ-2: one host appears under several addresses");
  // REQ-3 itself, no overloading of ports, holds for every NatBox. Of 3a, only the half that keeps ordinary ports out of
  // 0 to 1023: nobody inside sends from there.
  unless(options.first_port >= 1024, "REQ-3a: ordinary ports are mapped to well-known ones");
  unless(options.timeout >= 2min, "REQ-5: mappings expire in less than two minutes");
  // REQ-6, outbound packets refresh, holds for every NatBox; 6a leaves inbound ones free.
  unless(options.filtering != Dependence::address_and_port_dependent,
         "REQ-8: filtering is stricter than address-dependent");
  unless(options.hairpin != Hairpin::none, "REQ-9: no hairpinning");
  unless(options.hairpin != Hairpin::internal_source, "REQ-9a: hairpinned packets show their inner source");
  // Where every remote has a mapping of its own anyway, another port for one of them is no other behaviour.
  unless(!options.input_accepts || options.mapping == Dependence::address_and_port_dependent,
         "REQ-11: a packet from outside that came first changes how its sender's flow is mapped");
  return broken;
}

}  // namespace pw::net
