#include "path/path.hpp"

namespace pw::path {
namespace {

void apply(event::LossWindow& to, const event::LossWindow& by, bool add) {
  to.expected = add ? to.expected + by.expected : to.expected - by.expected;
  to.lost = add ? to.lost + by.lost : to.lost - by.lost;
}

}  // namespace

Path::Losses& Path::Losses::apply(const Losses& o, bool add) {
  path::apply(forward, o.forward, add);
  path::apply(back, o.back, add);
  return *this;
}

Snapshot Path::snapshot(Instant now, bool in_use) const {
  Snapshot s;
  s.path = {name.kind, name.address, liveness.health(), in_use, size.verdict(), rtt.smoothed(), rtt.min(), since_, last_proof()};
  const Losses lost = losses_.sum(now);
  s.loss_forward = lost.forward;
  s.loss_return = lost.back;
  s.jitter = heard.jitter();
  s.last_full_proof = size.passed_at();
  s.mapped = mapped;
  return s;
}

}  // namespace pw::path
