// The states of a session and the transitions that exist; everything else is a bug and meets PW_CHECK.
//
//   disconnected → connecting → connected → disconnecting → disconnected
//                  connecting → failed, disconnecting        connected → failed
//                  failed → connecting, disconnected
#pragma once

#include "base/check.hpp"
#include "event/vocabulary.hpp"
#include "peer/context.hpp"

namespace pw::peer {

constexpr bool legal(event::SessionState from, event::SessionState to) {
  using S = event::SessionState;
  switch (from) {
    case S::disconnected:
      return to == S::connecting;
    case S::connecting:
      return to == S::connected || to == S::failed || to == S::disconnecting;
    case S::connected:
      return to == S::disconnecting || to == S::failed;
    case S::disconnecting:
      return to == S::disconnected;
    case S::failed:
      return to == S::connecting || to == S::disconnected;
  }
  return false;
}

class State {
 public:
  State(Outbox& out, const PeerId& peer, Instant now) : out_{out}, peer_{peer}, since_{now} {}
  void move(Instant now, event::SessionState to) {
    PW_CHECK(legal(now_, to));
    out_.emit(now, event::StateChanged{peer_, now_, to});
    now_ = to;
    since_ = now;
  }
  event::SessionState get() const { return now_; }
  bool is(event::SessionState s) const { return now_ == s; }
  Instant since() const { return since_; }

 private:
  Outbox& out_;
  PeerId peer_;
  event::SessionState now_ = event::SessionState::disconnected;
  Instant since_;
};

}  // namespace pw::peer
