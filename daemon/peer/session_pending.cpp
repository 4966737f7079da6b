// Links that wait: for admission, or held in a tie.
#include <utility>

#include "peer/session.hpp"

namespace pw::peer {

using event::AdmissionRefusal;
using event::ErrorType;

void Session::release_held(Instant now) {
  for (Pending& p : pending_)
    if (p.link->held()) p.release_at = now;
}

void Session::check_pending(Instant now) {
  for (std::size_t i = 0; i < pending_.size();) {
    Pending& p = pending_[i];
    const quic::Handle handle = p.link->handle();
    if (p.link->admission_deadline() <= now) {
      auto link = take(handle);
      const bool proofless = context_.membership.admission == AdmissionMode::secret && !link->admitted_by();
      if (proofless)
        refuse(now, std::move(link), AdmissionRefusal::no_proof);
      else
        break_off(now, std::move(link), CloseCode::timeout, ErrorType::timeout, "no Hello in time");
      i = 0;
      continue;
    }
    if (p.release_at <= now) {
      if (active_ && loses_tie(now, p.link->dialled())) {  // the peer may be about to hear that ours is admitted
        p.release_at = now + kTieHold;
        ++i;
        continue;
      }
      p.release_at = kNever;
      // Our own dial had its time. Unless its link is up already, the peer's connection is the better one.
      if (const Link* dialled = dial_ && !dial_->handles().empty() ? find(dial_->handles().front()) : nullptr) {
        p.release_at = dialled->admission_deadline() + 1ms;
        ++i;
        continue;
      }
      auto events = p.link->release();
      cancel_dial(now);
      handle_link(now, now, handle, std::move(events));
      i = 0;
      continue;
    }
    ++i;
  }
}

}  // namespace pw::peer
