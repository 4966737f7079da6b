// The backend between its two threads: here one test plays both, so that every order can be tried.
#include "app/backend.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <future>
#include <thread>

#include "io/clock.hpp"

namespace pw::app {
namespace {

struct Rig {
  Rig() {
    auto made = quic::Identity::from_seed({});
    REQUIRE(made);
    self.emplace(std::move(*made));
    auto sockets = io::UdpSockets::open({{IpAddress::v4({127, 0, 0, 1}), 0}});
    REQUIRE(sockets);
    driver.emplace(std::move(*sockets), mesh::Options{}, *self, io::entropy(), observers);
    facts.config_json = "{}";
    backend.emplace(facts, *driver, metrics, observers, events, reloads, [this](std::function<void()> task) {
      const std::scoped_lock lock{mutex};
      posted.push_back(std::move(task));
    });
  }
  ~Rig() { stop(); }
  void start() {
    network = std::thread{[this] { driver->run(); }};
  }
  void stop() {
    if (!network.joinable()) return;
    driver->stop();
    network.join();
  }
  /// Plays the HTTP thread until `done`.
  template <class Condition>
  bool run_until(Condition done) {
    for (int i = 0; i < 5000 && !done(); ++i) {
      std::function<void()> task;
      {
        const std::scoped_lock lock{mutex};
        if (!posted.empty()) {
          task = std::move(posted.front());
          posted.pop_front();
        }
      }
      if (task)
        task();
      else
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return done();
  }

  observe::Log log{{observe::LogFormat::json, {}, {}, [](std::string_view) {}}};
  observe::Metrics metrics{{}};
  EventQueue events;
  Observers observers{log, metrics, events, [] {}};
  Doorbell bell;
  ReloadRequests reloads{bell};
  std::optional<quic::Identity> self;
  std::optional<io::Driver> driver;
  Facts facts;
  std::mutex mutex;
  std::deque<std::function<void()>> posted;
  std::optional<Backend> backend;
  std::thread network;
};

constexpr Duration kMaxAge = 200ms;

TEST_CASE("a picture is taken once for all who wait, and served again while it is young enough") {
  Rig rig;
  std::vector<http::View> views;
  const auto keep = [&](http::View v) { views.push_back(std::move(v)); };
  rig.backend->view(kMaxAge, keep);
  rig.backend->view(kMaxAge, keep);
  CHECK(views.empty());
  rig.start();
  REQUIRE(rig.run_until([&] { return views.size() == 2; }));
  REQUIRE(views[0].node);
  CHECK(views[0].metrics);
  CHECK(views[0].node == views[1].node);
  CHECK(views[0].node->self == rig.self->id());
  const Duration off = io::Clock::wall() - views[0].wall;
  CHECK((off >= 0s && off < 5s));

  rig.backend->view(kMaxAge, keep);
  REQUIRE(views.size() == 3);  // at once
  CHECK(views[2].node == views[0].node);
  std::this_thread::sleep_for(kMaxAge);
  rig.backend->view(kMaxAge, keep);
  CHECK(views.size() == 3);
  REQUIRE(rig.run_until([&] { return views.size() == 4; }));
  CHECK(views[3].node->at - views[0].node->at >= kMaxAge);
}

TEST_CASE("no picture is shown that is older than an answer which was given") {
  Rig rig;
  rig.start();
  const auto picture = [&] {
    std::optional<http::View> seen;
    rig.backend->view(1h, [&](http::View v) { seen = std::move(v); });
    REQUIRE(rig.run_until([&] { return seen.has_value(); }));
    REQUIRE(seen->node);
    return seen->node;
  };
  const auto first = picture();
  CHECK(picture() == first);

  bool answered = false;
  rig.backend->command(event::Connect{PeerId{std::array<std::uint8_t, PeerId::kSize>{7}}, {{"127.0.0.1", 9}}},
                       [&](const event::Answer&) { answered = true; });
  REQUIRE(rig.run_until([&] { return answered; }));
  const auto second = picture();
  CHECK(first->peers.empty());
  CHECK(second->peers.size() == 1);

  rig.backend->reload([](const http::ReloadOutcome&) {});
  for (const auto& done : rig.reloads.take()) done({});
  bool posted = false;
  CHECK(picture() == second);  // not answered yet
  rig.run_until([&] { return std::exchange(posted, true); });
  const auto third = picture();
  CHECK(third != second);
  rig.backend->change(rig.facts);
  CHECK(picture() != third);
}

TEST_CASE("while the network thread hangs, waiting for a picture is bounded") {
  Rig rig;
  std::size_t answered = 0;
  for (std::size_t i = 0; i < Backend::kMaxWaiting; ++i)
    rig.backend->view(kMaxAge, [&](const http::View&) { ++answered; });
  CHECK(answered == 0);
  bool empty = false;
  rig.backend->view(kMaxAge, [&](const http::View& v) { empty = !v.node; });
  CHECK(empty);
}

TEST_CASE("commands go to the core and come back on the HTTP thread; too many are turned away at once") {
  Rig rig;
  std::vector<event::CommandError> errors;
  const auto keep = [&](const event::Answer& a) {
    REQUIRE_FALSE(a);
    errors.push_back(a.error().code);
  };
  for (std::size_t i = 0; i < io::Driver::kMaxCommands; ++i) rig.backend->command(event::Ping{PeerId{}, 0}, keep);
  CHECK(errors.empty());
  rig.backend->command(event::Ping{PeerId{}, 0}, keep);
  CHECK(errors == std::vector{event::CommandError::busy});
  rig.start();
  REQUIRE(rig.run_until([&] { return errors.size() == io::Driver::kMaxCommands + 1; }));
  CHECK(errors.back() == event::CommandError::unknown_peer);

  rig.stop();
  rig.backend->begin_stop();
  rig.backend->command(event::Ping{PeerId{}, 0}, keep);
  CHECK(errors.back() == event::CommandError::stopping);
  http::View view;
  view.wall = WallTime{1s};
  std::this_thread::sleep_for(kMaxAge);
  rig.backend->view(kMaxAge, [&](http::View v) { view = std::move(v); });
  CHECK_FALSE(view.node);
}

TEST_CASE("a reload is somebody else's work, and its outcome comes back") {
  Rig rig;
  std::optional<http::ReloadOutcome> outcome;
  rig.backend->reload([&](http::ReloadOutcome o) { outcome = std::move(o); });
  for (const auto& done : rig.reloads.take()) done({true, {}, {"network.listen"}});
  CHECK_FALSE(outcome);
  REQUIRE(rig.run_until([&] { return outcome.has_value(); }));
  CHECK(outcome->needs_restart == std::vector<std::string>{"network.listen"});

  for (std::size_t i = 0; i < ReloadRequests::kMost; ++i) rig.backend->reload([](const http::ReloadOutcome&) {});
  rig.backend->reload([&](http::ReloadOutcome o) { outcome = std::move(o); });
  CHECK_FALSE(outcome->success);
  CHECK(outcome->errors.empty());
  CHECK(outcome->not_tried == "too many reloads are waiting; try again shortly");
}

TEST_CASE("healthy means that the network thread turns") {
  Rig rig;
  CHECK_FALSE(rig.backend->healthy());
  rig.start();
  CHECK(rig.run_until([&] { return rig.backend->healthy(); }));
}

TEST_CASE("ready means that a configured peer was reached once, and lasts until the daemon stops") {
  Rig rig;
  CHECK(rig.backend->readiness().reasons.empty());  // none is configured
  rig.facts.others_configured = 1;
  rig.backend->change(rig.facts);
  CHECK(rig.backend->readiness().reasons.empty());  // a reload doesn't take it back

  Rig other;
  other.facts.others_configured = 1;
  other.backend.emplace(other.facts, *other.driver, other.metrics, other.observers, other.events, other.reloads,
                        [](const std::function<void()>&) {});
  CHECK(other.backend->readiness().reasons.size() == 1);
  other.observers.record({io::Clock::now(), event::SessionEstablished{}});
  CHECK(other.observers.connected() == 1);
  other.observers.record({io::Clock::now(), event::SessionEnded{}});
  CHECK(other.observers.connected() == 0);
  CHECK(other.backend->readiness().reasons.empty());
  other.backend->begin_stop();
  CHECK(other.backend->readiness().reasons == std::vector<std::string>{"the daemon is stopping"});
}

TEST_CASE("what readers of the live stream lose is told as dropped") {
  Rig rig;
  std::vector<event::Event> told;
  rig.observers.tell_drops_by([&](event::Event e) { told.push_back(std::move(e)); });
  rig.backend->stream_lost(5);
  rig.observers.tick(io::Clock::now());
  rig.observers.tick(io::Clock::now());
  REQUIRE(told.size() == 1);
  CHECK(std::get<event::QueueDropped>(told[0]).queue == event::Queue::stream);
  CHECK(std::get<event::QueueDropped>(told[0]).count == 5);
}

TEST_CASE("events worth keeping reach the queue numbered, with wall-clock time, and wake its reader") {
  observe::Log log{{observe::LogFormat::json, {}, {}, [](std::string_view) {}}};
  observe::Metrics metrics{{}};
  EventQueue events;
  int woken = 0;
  Observers observers{log, metrics, events, [&] { ++woken; }};
  const Instant now = io::Clock::now();
  observers.record({now, event::PeerRemoved{}});
  observers.record({now, event::EchoMeasured{}});
  observers.record({now, event::NodeStopping{}});
  CHECK(woken == 1);
  const auto got = events.take();
  REQUIRE(got.size() == 2);
  CHECK(got[0].seq == 1);
  CHECK(got[1].seq == 2);
  const Duration off = io::Clock::wall() - got[0].at;
  CHECK((off > -1s && off < 1s));
}

}  // namespace
}  // namespace pw::app
