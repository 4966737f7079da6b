// The half of Client that goes over to another connection: from a pipe to UDP (docs/adr/0011), and from one whose way back
// seems lost.
#include <algorithm>
#include <utility>

#include "service/client.hpp"

namespace pw::service {

/// When UDP is tried the next time, if there is anything to leave.
void Client::plan_move(Instant now) {
  const bool wanted = ready() && line_->pipe && !addresses_.empty();
  if (!wanted) {
    move_at_ = kNever;
  } else if (move_at_ == kNever && !dial_.under_way() && !next_) {
    move_at_ = now + kMovePause + move_backoff_.next(rng_);
  }
}

void Client::try_move(Instant now) {
  move_at_ = kNever;
  dial_.start(now, addresses_, std::nullopt);
  settle_dial(now);
}

/// Nothing has come since the server was asked whether it still reaches us.
void Client::begin_second(Instant now) {
  second_at_ = kNever;
  if (ready() && heard_at_ <= probed_at_ && !addresses_.empty() && !dial_.under_way() && !next_) try_move(now);
}

/// It does: the connection there is stays. A pipe is left in any case, and so is one whose channels the server may have handed
/// over already, since the challenge was said back.
void Client::abandon_second(Instant now) {
  gone_at_ = second_at_ = kNever;
  if (!line_ || line_->pipe || (next_ && next_->welcome)) return;
  dial_.cancel(now);
  settle_dial(now);
  end_move(now);
}

void Client::begin_move(Instant now, const Line& line) {
  next_ = line;
  move_give_up_ = now + options_.greeting_timeout;
  greet(*next_, true);
}

/// In vain: it stays as it is.
void Client::end_move(Instant now) {
  move_give_up_ = kNever;
  if (next_) leave(now, *next_, CloseCode::done, "not needed");
  next_.reset();
  plan_move(now);
}

/// The server has let us in over the other connection, and says which channels went over.
void Client::moved(Instant now, const wire::service::Resumed& m) {
  move_give_up_ = kNever;
  move_backoff_.reset();
  former_ = std::exchange(line_, std::exchange(next_, std::nullopt));
  leave_former_at_ = now + kFormer;
  const wire::service::Welcome& welcome = *line_->welcome;
  granted_ = welcome.services & server_.services;
  probe_at_ = second_at_ = gone_at_ = kNever;
  ask_at_ = now + options_.keepalive;
  // Their answers would have come by the stream that was left.
  while (!pending_.empty()) fail_request(now, pending_.begin()->first, RequestResult::lost);
  for (auto i = channels_.begin(); i != channels_.end();) {
    const auto here = i++;
    if (std::ranges::find(m.channels, here->first) == m.channels.end())
      end_channel(now, here, ChannelLoss::connection_lost, {});
    else if (here->second.up)
      emit(ChannelMoved{server_.id, here->second.via, here->second.peer, transport()});
  }
  // Closed here meanwhile, by a message that the server did not read any more.
  for (const Number number : m.channels)
    if (number < wire::service::kFirstOfServer && !channels_.contains(number))
      send(wire::service::ChannelClosed{number, wire::service::ChannelEnd::closed});
  observed_ = welcome.observed;
  emit(ServiceMoved{server_.id, transport(), welcome.observed});
  if (record_) publish(now, wire::PeerRecord{*record_});  // it may have restarted, and know of nobody
}

void Client::leave_former(Instant now) {
  leave_former_at_ = kNever;
  if (former_) leave(now, *former_, CloseCode::done, "not needed any more");
  former_.reset();
}

}  // namespace pw::service
