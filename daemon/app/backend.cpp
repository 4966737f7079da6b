#include "app/backend.hpp"

#include <utility>

#include "io/clock.hpp"

namespace pw::app {

Backend::Backend(Facts facts, io::Driver& driver, observe::Metrics& metrics, const Observers& observers,
                 EventQueue& events, ReloadRequests& reloads, Post post)
    : facts_{std::move(facts)},
      driver_{driver},
      metrics_{metrics},
      observers_{observers},
      events_{events},
      reloads_{reloads},
      post_{std::move(post)} {}

void Backend::change(Facts facts) {
  facts_ = std::move(facts);
  last_ = {};
}

void Backend::view(Duration max_age, std::function<void(http::View)> done) {
  if (last_.node && io::Clock::now() - last_.node->at < max_age) return done(last_);
  if (waiting_.size() >= kMaxWaiting) return done({});
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;  // the picture is being taken
  const bool asked = driver_.post([this] {
    http::View view;
    view.node = driver_.snapshot();
    view.wall = io::Clock::wall() - (io::Clock::now() - view.node->at);
    view.metrics = metrics_.snapshot(*view.node, view.wall);
    post_([this, v = std::move(view)] { deliver(v); });
  });
  if (!asked) deliver({});
}

void Backend::deliver(http::View view) {
  if (view.node) last_ = view;
  for (auto& done : std::exchange(waiting_, {})) done(view);
}

void Backend::command(event::Command command, std::function<void(event::Answer)> done) {
  // Both sides of the hand-over hold it: the driver takes it only if it accepts the command.
  auto shared = std::make_shared<std::function<void(event::Answer)>>(std::move(done));
  const bool taken = driver_.command(std::move(command), [this, shared](event::Answer answer) {
    // A picture that comes after this was also taken after it: both are posted by the network thread.
    post_([this, shared, a = std::move(answer)] {
      last_ = {};
      (*shared)(a);
    });
  });
  if (taken) return;
  const auto failure = stopping_ ? event::CommandFailure{event::CommandError::stopping, "the daemon is stopping"}
                                 : event::CommandFailure{event::CommandError::busy,
                                                         "too many commands are under way; try again shortly"};
  (*shared)(tl::unexpected{failure});
}

void Backend::reload(std::function<void(http::ReloadOutcome)> done) {
  auto shared = std::make_shared<std::function<void(http::ReloadOutcome)>>(std::move(done));
  const bool taken = reloads_.add([this, shared](const http::ReloadOutcome& outcome) {
    post_([this, shared, outcome] {
      last_ = {};
      (*shared)(outcome);
    });
  });
  if (!taken) (*shared)({false, {}, {}, "too many reloads are waiting; try again shortly"});
}

bool Backend::healthy() const { return io::Clock::now() - observers_.last_turn() < kMaxSilence; }

http::Readiness Backend::readiness() const {
  http::Readiness out;
  if (stopping_) out.reasons.emplace_back("the daemon is stopping");
  // Sockets and identity are there, or the daemon had not started. Ready once is ready for good: a peer that goes away
  // is the mesh's trouble, not this daemon's.
  was_ready_ = was_ready_ || facts_.others_configured == 0 || observers_.reached_anybody();
  if (!was_ready_) out.reasons.emplace_back("none of the configured peers, bootstraps and relays has been reached yet");
  return out;
}

}  // namespace pw::app
