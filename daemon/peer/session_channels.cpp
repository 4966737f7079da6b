// Sessions and channels through relays: of a dial, or because no other path is alive.
#include <utility>

#include "peer/session.hpp"

namespace pw::peer {

void Session::handle_channel(Instant now, Via via) {
  if (dial_ && dial_->seeks()) {
    dial_->handle_channel(now, via);
    if (dial_->failed()) dial_failed(now, dial_->error(), dial_->detail(), dial_->remote());
    return;
  }
  if (!std::exchange(seeking_, false) || !active_) {
    context_.out.channel_wishes.emplace_back(ReleaseChannel{via});
    return;
  }
  channels_.push_back(via);
  measurements_->add_path(now, PathAddress{{}, {}, via});
  traverse(now);
}

void Session::handle_no_channel(Instant now, const NoChannel& answer) {
  seeking_ = false;
  if (!dial_ || !dial_->seeks()) return;
  dial_->handle_no_channel(answer);
  if (dial_->failed()) dial_failed(now, dial_->error(), dial_->detail(), dial_->remote());
}

void Session::handle_channel_lost(Instant now, Via via) {
  std::erase(channels_, via);
  if (dial_ && dial_->handle_channel_lost(now, via) && dial_->failed())
    dial_failed(now, dial_->error(), dial_->detail(), dial_->remote());
  if (!measurements_) return;
  measurements_->close_path(now, PathAddress{{}, {}, via});
  seek(now);
  traverse(now);
}

/// Its packets go another way to its server.
void Session::handle_channel_moved(Instant now, Via via) {
  if (measurements_) measurements_->rename_path(now, PathAddress{{}, {}, via});
}

/// A bootstrap says that the peer is there: it may have waited for a long time.
void Session::handle_present(Instant now) {
  if (now < next_present_) return;  // who says so may be lying, and each dial goes to others too
  next_present_ = now + kPresentPause;
  redial_.noticed();
  redial_.hasten(now);
}

/// While no path is alive; and by another relay, while nothing but one that is in doubt is left.
void Session::seek(Instant now) {
  if (!active_ || !context_.rendezvous) return;
  if (!measurements_->dead_since()) {
    if (seeking_ || now < next_beside_ || !measurements_->only_relay_in_doubt()) return;
    seeking_ = beside_ = true;
    next_beside_ = now + kSeekPause;
    context_.out.channel_wishes.emplace_back(SeekChannel{spec_.id, true});
    return;
  }
  if ((seeking_ && !beside_) || now < next_seek_) return;
  // One whose path was given up meanwhile may carry packets again.
  for (const Via via : channels_) measurements_->add_path(now, PathAddress{{}, {}, via});
  seeking_ = true;
  beside_ = false;
  next_seek_ = now + kSeekPause;
  context_.out.channel_wishes.emplace_back(SeekChannel{spec_.id});
}

/// Of this side's; the peer gives up its own.
void Session::release_channels(const Link* kept) {
  if (std::exchange(seeking_, false)) context_.out.channel_wishes.emplace_back(AbandonSearch{spec_.id});
  std::erase_if(channels_, [&](Via via) {
    if (kept != nullptr && kept->path().via == via) return false;
    context_.out.channel_wishes.emplace_back(ReleaseChannel{via});
    return true;
  });
}

}  // namespace pw::peer
