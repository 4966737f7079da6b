// Two real nodes on loopback, each on a thread of its own.
#include "io/driver.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "io/clock.hpp"
#include "io/sockaddr.hpp"

namespace pw::io {
namespace {

/// What was told, for a test thread to wait for.
struct Told : Telemetry {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<event::Event> events;
  std::vector<Duration> lags;
  std::size_t ticks = 0;
  bool timer_ran_backwards = false;

  void record(const event::Record& record) override {
    const std::scoped_lock lock{mutex};
    events.push_back(record.event);
    changed.notify_all();
  }
  void loop_lag(Duration lag) override {
    const std::scoped_lock lock{mutex};
    lags.push_back(lag);
  }
  void timer_error(Duration late) override {
    const std::scoped_lock lock{mutex};
    timer_ran_backwards = timer_ran_backwards || late < Duration{};
  }
  void socket_drops(std::uint64_t) override {}
  void tick(Instant) override {
    const std::scoped_lock lock{mutex};
    ++ticks;
    changed.notify_all();
  }

  template <class E>
  std::size_t count() {
    const std::scoped_lock lock{mutex};
    return count_locked<E>();
  }
  template <class E>
  bool wait_for(std::size_t n = 1, Duration within = 10s) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, within, [&] { return count_locked<E>() >= n; });
  }
  bool wait_for_ticks(std::size_t more) {
    std::unique_lock lock{mutex};
    const std::size_t until = ticks + more;
    return changed.wait_for(lock, std::chrono::seconds{10}, [&] { return ticks >= until; });
  }

 private:
  template <class E>
  std::size_t count_locked() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [](const auto& e) { return std::holds_alternative<E>(e); }));
  }
};

quic::Identity identity(std::uint8_t n) {
  quic::Identity::Seed seed{};
  seed.fill(n);
  auto made = quic::Identity::from_seed(seed);
  REQUIRE(made);
  return std::move(*made);
}

/// A node: driver, thread and what it told.
struct Running {
  explicit Running(std::uint8_t n) : self{identity(n)} {
    auto sockets = UdpSockets::open({{IpAddress::v4({127, 0, 0, 1}), 0}});
    REQUIRE(sockets);
    address = sockets->addresses().front();
    driver.emplace(std::move(*sockets), mesh::Options{}, self, entropy(), told);
  }
  ~Running() { stop(); }
  void start(const std::vector<event::PeerSpec>& peers) {
    peer::Membership membership;
    membership.peers = peers;
    driver->configure(membership);
    thread = std::thread{[this] { driver->run(); }};
  }
  void stop() {
    if (!thread.joinable()) return;
    driver->stop();
    thread.join();
  }
  event::PeerSpec as_peer() const { return {self.id(), "", false, {{"127.0.0.1", address.port}}}; }
  event::Answer ask(event::Command command) {
    std::promise<event::Answer> answer;
    auto future = answer.get_future();
    REQUIRE(driver->command(std::move(command), [&](event::Answer a) { answer.set_value(std::move(a)); }));
    REQUIRE(future.wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    return future.get();
  }

  Told told;
  quic::Identity self;
  SocketAddress address;
  std::optional<Driver> driver;
  std::thread thread;
};

TEST_CASE("two daemons' drivers connect, measure, and part with a goodbye") {
  Running a{1};
  Running b{2};
  a.start({b.as_peer()});
  b.start({a.as_peer()});
  REQUIRE(a.told.wait_for<event::SessionEstablished>());
  REQUIRE(b.told.wait_for<event::SessionEstablished>());
  REQUIRE(a.told.wait_for<event::EchoMeasured>());
  const auto ping = a.ask(event::Ping{b.self.id(), 0});
  INFO((ping ? "" : ping.error().detail));
  REQUIRE(ping);
  CHECK(std::get<event::PingAnswer>(*ping).rtt < 1s);
  CHECK(a.told.wait_for<event::ProbeMeasured>());

  a.stop();
  CHECK(b.told.wait_for<event::SessionEnded>(1, 1s));
  CHECK(a.told.count<event::NodeStopping>() == 1);
  CHECK(b.told.count<event::PathHealthChanged>() == 0);
  b.stop();
  CHECK_FALSE(b.told.timer_ran_backwards);
}

TEST_CASE("names are resolved without holding up the loop, and failures are answered") {
  Running a{1};
  Running b{2};
  auto by_name = b.as_peer();
  by_name.addresses = {{"localhost", b.address.port}};
  auto nowhere = event::PeerSpec{identity(3).id(), "", false, {{"no-such-name.invalid", 9470}}};
  a.start({by_name, nowhere});
  b.start({a.as_peer()});
  CHECK(a.told.wait_for<event::SessionEstablished>());
  CHECK(a.told.wait_for<event::DiscoveryFailed>(1, 30s));
}

TEST_CASE("a command that can't be carried out is answered, and one after the end is refused") {
  Running a{1};
  a.start({});
  const auto answer = a.ask(event::Ping{identity(9).id(), 0});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == event::CommandError::unknown_peer);
  a.stop();
  CHECK_FALSE(a.driver->command(event::Disconnect{a.self.id()}, [](const event::Answer&) { FAIL("asked in vain"); }));
  CHECK_FALSE(a.driver->post([] { FAIL("too late"); }));
}

TEST_CASE("commands are bounded, and those that are queued when it ends are answered") {
  Running a{1};
  std::atomic<std::size_t> answered = 0;
  const auto ask = [&] {
    return a.driver->command(event::Ping{identity(9).id(), 0},
                             [&](const event::Answer& answer) { answered += answer.has_value() ? 0U : 1U; });
  };
  for (std::size_t i = 0; i < Driver::kMaxCommands; ++i) REQUIRE(ask());
  CHECK_FALSE(ask());
  a.start({});
  REQUIRE(a.told.wait_for<event::QueueDropped>());
  CHECK(answered == Driver::kMaxCommands);
  CHECK(ask());
  a.driver->stop_now();
  a.thread.join();
  CHECK(answered == Driver::kMaxCommands + 1);
}

TEST_CASE("whoever waits for an answer when it ends at once is told") {
  Running a{1};
  Running b{2};
  a.start({b.as_peer()});
  b.start({a.as_peer()});
  REQUIRE(a.told.wait_for<event::EchoMeasured>());
  // b no longer answers; a's ping stays open, and a command is given behind the end.
  std::promise<void> hang;
  std::promise<void> hanging;
  REQUIRE(b.driver->post([&hanging, released = hang.get_future().share()] {
    hanging.set_value();
    released.wait();
  }));
  hanging.get_future().wait();
  std::vector<event::CommandError> errors;
  const auto keep = [&](const event::Answer& answer) {
    errors.push_back(answer ? event::CommandError::invalid : answer.error().code);
  };
  std::size_t taken = 0;
  const auto ping = [&] { taken += a.driver->command(event::Ping{b.self.id(), 0}, keep) ? 1U : 0U; };
  REQUIRE(a.driver->post([&] {
    ping();
    a.driver->post([&] {
      a.driver->stop_now();
      ping();
    });
  }));
  a.thread.join();
  hang.set_value();
  CHECK(taken == 2);
  CHECK(errors == std::vector{event::CommandError::stopping, event::CommandError::stopping});
}

TEST_CASE("tasks are bounded and see a consistent picture") {
  Running a{1};
  std::atomic<std::size_t> done = 0;
  for (std::size_t i = 0; i < Driver::kMaxTasks; ++i) REQUIRE(a.driver->post([&] { ++done; }));
  CHECK_FALSE(a.driver->post([&] { ++done; }));
  a.start({});
  std::promise<event::SnapshotPtr> picture;
  REQUIRE(a.told.wait_for_ticks(1));
  CHECK(done == Driver::kMaxTasks);
  REQUIRE(a.driver->post([&] { picture.set_value(a.driver->snapshot()); }));
  const auto snapshot = picture.get_future().get();
  CHECK(snapshot->self == a.self.id());
  CHECK(snapshot->instance == a.driver->instance());
}

TEST_CASE("progress goes on while nothing happens, and stands still while the thread does") {
  Running a{1};
  a.start({});
  const auto before = a.driver->progress();
  REQUIRE(a.told.wait_for_ticks(2));
  CHECK(a.driver->progress() > before);

  std::promise<void> hang;
  std::promise<void> hanging;
  REQUIRE(a.driver->post([&hanging, released = hang.get_future().share()] {
    hanging.set_value();
    released.wait();
  }));
  hanging.get_future().wait();
  const auto stuck = a.driver->progress();
  std::this_thread::sleep_for(std::chrono::milliseconds{600});
  CHECK(a.driver->progress() == stuck);
  hang.set_value();
  REQUIRE(a.told.wait_for_ticks(2));
  CHECK(a.driver->progress() > stuck);
  const std::scoped_lock lock{a.told.mutex};
  CHECK(std::ranges::max(a.told.lags) >= 500ms);
}

TEST_CASE("a thread that got no CPU for long is a jump of the clock, not the peers' silence") {
  Running a{1};
  a.start({});
  REQUIRE(a.told.wait_for_ticks(1));
  REQUIRE(a.driver->post([] { std::this_thread::sleep_for(std::chrono::milliseconds{1600}); }));
  CHECK(a.told.wait_for<event::ClockJumped>());
}

TEST_CASE("a flood of datagrams starves neither timers nor the session") {
  Running a{1};
  Running b{2};
  a.start({b.as_peer()});
  b.start({a.as_peer()});
  REQUIRE(a.told.wait_for<event::SessionEstablished>());

  std::atomic<bool> enough = false;
  std::thread flood{[&] {
    const Fd fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_storage to{};
    const socklen_t size = to_sockaddr(a.address, to);
    const Buffer garbage(64, 0xff);
    while (!enough)
      for (int i = 0; i < 64; ++i)
        ::sendto(fd.get(), garbage.data(), garbage.size(), 0, reinterpret_cast<const sockaddr*>(&to), size);
  }};
  const bool ticked = a.told.wait_for_ticks(8);
  enough = true;
  flood.join();
  CHECK(ticked);
  CHECK(a.told.count<event::PacketRejected>() > 0);
  CHECK(a.told.count<event::SessionEnded>() == 0);
}

TEST_CASE("packets that no socket of ours can carry are a trouble, told once") {
  Running a{1};
  const event::PeerSpec far{identity(5).id(), "", false, {{"::1", 9}}};
  const event::PeerSpec further{identity(6).id(), "", false, {{"::1", 10}}};
  a.start({far, further});
  REQUIRE(a.told.wait_for<event::Trouble>());
  REQUIRE(a.told.wait_for_ticks(4));
  CHECK(a.told.count<event::Trouble>() == 1);
}

TEST_CASE("stopping ends within its deadline even when the peer never answers") {
  Running a{1};
  Running b{2};
  a.start({b.as_peer()});
  b.start({a.as_peer()});
  REQUIRE(a.told.wait_for<event::SessionEstablished>());
  b.driver->stop_now();
  b.thread.join();
  const Instant before = Clock::now();
  a.stop();
  CHECK(Clock::now() - before <= Driver::kStopDeadline + 500ms);
}

}  // namespace
}  // namespace pw::io
