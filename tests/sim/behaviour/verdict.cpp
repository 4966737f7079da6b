#include "sim/behaviour/verdict.hpp"

namespace pw::net {
namespace {

class Comparison {
 public:
  template <class E>
  void axis(const char* which, E declared, E found) {
    if (declared == found) return;
    out_.push_back(std::string{which} + ": declared " + std::string{name(declared)} + ", found " + std::string{name(found)});
  }
  void step(int declared, int found) {
    if (declared != found)
      out_.push_back("step: declared " + std::to_string(declared) + ", found " + std::to_string(found));
  }
  std::vector<std::string> take() { return std::move(out_); }

 private:
  std::vector<std::string> out_;
};

}  // namespace

std::vector<std::string> differences(const Behaviour& declared, const event::NatBehaviour& found) {
  using enum Dependence;
  const auto dependence = [](Dependence d, auto unknown) {
    using E = decltype(unknown);
    return d == endpoint_independent ? E::endpoint_independent
           : d == address_dependent  ? E::address_dependent
                                     : E::address_and_port_dependent;
  };
  event::NatBehaviour b;
  b.udp = declared.udp_blocked ? event::Tested::no : event::Tested::yes;
  if (declared.mapping)
    b.mapping = declared.translated ? dependence(*declared.mapping, b.mapping) : event::NatMapping::none;
  if (declared.filtering) b.filtering = dependence(*declared.filtering, b.filtering);
  if (declared.translated) {
    b.hairpin = declared.hairpin == Hairpin::none ? event::Tested::no : event::Tested::yes;
    b.allocation = declared.ports == PortAllocation::preserving   ? event::PortAllocation::preserving
                   : declared.ports == PortAllocation::sequential ? event::PortAllocation::sequential
                                                                  : event::PortAllocation::random;
    b.step = declared.step.value_or(0);
  }
  Comparison c;
  c.axis("UDP", b.udp, found.udp);
  c.axis("mapping", b.mapping, found.mapping);
  c.axis("filtering", b.filtering, found.filtering);
  c.axis("hairpin", b.hairpin, found.hairpin);
  c.axis("allocation", b.allocation, found.allocation);
  c.step(b.step, found.step);
  return c.take();
}

std::string to_string(const event::NatBehaviour& b) {
  std::string out = "UDP " + std::string{name(b.udp)} + ", mapping " + std::string{name(b.mapping)} + ", filtering " +
                    std::string{name(b.filtering)} + ", hairpin " + std::string{name(b.hairpin)} + ", allocation " +
                    std::string{name(b.allocation)} + " " + std::to_string(b.step) + ", servers " +
                    std::to_string(b.servers) + ", confidence " + std::to_string(b.confidence);
  if (b.lifetime) out += ", lives " + std::to_string(to_seconds(*b.lifetime)) + " s";
  if (b.expires) out += ", gone after " + std::to_string(to_seconds(*b.expires)) + " s";
  for (const std::string& why : b.not_tested) out += "; " + why;
  return out;
}

}  // namespace pw::net
