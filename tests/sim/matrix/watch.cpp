#include "sim/matrix/watch.hpp"

namespace pw::sim::matrix {

/// It knows one peer only.
void Watch::recorded(Instant at, const Host& host, const event::Record& record) {
  if (&host != &host_) return;
  if (const auto* changed = std::get_if<event::StateChanged>(&record.event)) {
    is_connected_ = changed->to == event::SessionState::connected;
    if (is_connected_ && !connected) connected = at;
  } else if (const auto* up = std::get_if<event::SessionEstablished>(&record.event)) {
    go(at, up->path);
  } else if (const auto* moved = std::get_if<event::PathChanged>(&record.event)) {
    go(at, moved->to);
  } else if (std::holds_alternative<event::SessionEnded>(record.event)) {
    ++sessions_ended;
  } else if (const auto* nat = std::get_if<event::NatMeasured>(&record.event)) {
    if (nat->behaviour.family == Family::v4 && !measured) measured = at;
  } else if (const auto* start = std::get_if<event::TraversalStarted>(&record.event)) {
    started.push_back(*start);
  } else if (const auto* end = std::get_if<event::TraversalEnded>(&record.event)) {
    ended.push_back(*end);
  }
}

void Watch::go(Instant at, event::PathKind path) {
  left_direct += direct_kind(path_) && !direct_kind(path) ? 1U : 0U;
  path_ = path;
  if (direct || !direct_kind(path)) return;
  direct = at;
  packets_until_direct = packets;
}

}  // namespace pw::sim::matrix
