#include "nat/behaviour_lifetime.hpp"

namespace pw::nat {

void LifetimeSearch::start(const Plan& plan) {
  stop();
  plan_ = plan;
  low_ = 0;
  high_ = kWaits.size();
  unconfirmed_ = false;
  trouble_.clear();
  begin_round();
}

void LifetimeSearch::stop() {
  questions_.drop(Topic::lifetime);
  if (via_ != Via::own) sockets_.close(via_);
  via_ = Via::own;
  step_ = Step::over;
}

void LifetimeSearch::give_up(std::string why) {
  stop();
  trouble_ = std::move(why);
}

/// With a new socket: what the round before made of its mappings must not matter.
void LifetimeSearch::begin_round() {
  stop();
  via_ = sockets_.open();
  step_ = Step::opening;
}

void LifetimeSearch::handle_socket(Instant now, const Result<SocketAddress>& bound) {
  if (!bound) return give_up("a socket could not be opened: " + bound.error().detail);
  inner_port_ = bound->port;
  ask(now, Step::first, plan_.first);
}

void LifetimeSearch::ask(Instant now, Step step, const SocketAddress& to, bool from_second) {
  step_ = step;
  Question q{.topic = Topic::lifetime, .number = 0, .via = via_, .to = to, .change = {}, .from = to};
  if (from_second) {
    q.change = {.ip = true, .port = true};
    q.from = plan_.second;
  }
  questions_.ask(now, q);
}

void LifetimeSearch::handle_ended(Instant now, const Ended& ended) {
  const bool answered = ended.outcome == Outcome::answered;
  const bool filter = plan_.way == Plan::Way::filter;
  switch (step_) {
    case Step::first:
    case Step::second:
    case Step::baseline:
      if (!answered) return give_up("a server does not answer as it did before");
      if (step_ != Step::baseline) mapped_ = *ended.mapped;
      if (step_ == Step::first && plan_.way != Plan::Way::port) return ask(now, Step::second, plan_.second);
      if (step_ == Step::second && filter) return ask(now, Step::baseline, plan_.first, true);
      return fall_silent(now);
    case Step::asking:
      if (!filter && !answered) return give_up("a server does not answer as it did before");
      if (!filter) return judge(*ended.mapped == mapped_);
      if (ended.outcome == Outcome::refused) return give_up("a server does not answer as it did before");
      if (answered) return judge(true);
      unconfirmed_ = true;
      return begin_round();  // whose beginning shows whether the server is there
    case Step::opening:
    case Step::silent:
    case Step::over: return;
  }
}

void LifetimeSearch::fall_silent(Instant now) {
  if (unconfirmed_) {
    unconfirmed_ = false;
    high_ = tried();
    if (low_ == high_) return stop();
  }
  if (plan_.way == Plan::Way::second_port && mapped_.port == inner_port_)
    return give_up("both of its mappings have one port");
  step_ = Step::silent;
  until_ = now + kWaits[tried()];
}

void LifetimeSearch::handle_timeout(Instant now) {
  if (step_ != Step::silent || now < until_) return;
  switch (plan_.way) {
    case Plan::Way::port: return ask(now, Step::asking, plan_.first);
    case Plan::Way::second_port: return ask(now, Step::asking, plan_.second);
    case Plan::Way::filter: return ask(now, Step::asking, plan_.first, true);
  }
}

void LifetimeSearch::judge(bool alive) {
  (alive ? low_ : high_) = alive ? tried() + 1 : tried();
  if (low_ == high_) return stop();
  begin_round();
}

}  // namespace pw::nat
