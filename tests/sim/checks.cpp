#include "sim/checks.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

namespace pw::sim {

std::string broken_rule(World& world) { return world.verdict(); }

std::string trace(const Host& host) {
  std::string out;
  for (const auto& r : host.events) {
    out += std::to_string(r.at.time_since_epoch().count());
    out += ' ';
    out += event::name_of(r.event);
    if (const auto peer = event::peer_of(r.event)) out += ' ' + peer->to_short();
    if (const auto* s = std::get_if<event::StateChanged>(&r.event)) out += ' ' + std::string{name(s->to)};
    if (const auto* m = std::get_if<event::ProbeMeasured>(&r.event)) out += ' ' + std::to_string(m->rtt.count());
    if (const auto* a = std::get_if<event::ProbesAccounted>(&r.event))
      out += ' ' + std::to_string(a->expected) + '/' + std::to_string(a->lost);
    out += '\n';
  }
  return out;
}

unsigned seeds(const char* variable) {
  const char* text = std::getenv(variable);
  const int n = text ? std::atoi(text) : 0;
  return n > 0 ? static_cast<unsigned>(n) : 1000;
}

void for_every_seed(const std::function<std::string(std::uint64_t)>& scenario) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    const std::string wrong = scenario(seed);
    if (!wrong.empty()) FAIL("seed " << seed << ": " << wrong);
  }
}

}  // namespace pw::sim
