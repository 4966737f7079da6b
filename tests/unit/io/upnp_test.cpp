#include "io/upnp.hpp"

#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace pw::io {
namespace {

using namespace std::chrono_literals;

/// Shared with threads that may outlive the test.
struct Desk {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<std::uint64_t, int>> answers;
  std::vector<std::uint16_t> mapped;
  std::vector<std::uint16_t> unmapped;
  int inside = 0;
  int most = 0;
  bool open = true;
  Duration unmap_takes{};

  template <class Condition>
  bool wait(Condition condition, std::chrono::milliseconds within = 10s) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, within, condition);
  }
  void let(bool through) {
    const std::scoped_lock lock{mutex};
    open = through;
    changed.notify_all();
  }
};
using DeskPtr = std::shared_ptr<Desk>;

Upnp::Deliver deliver(const DeskPtr& desk) {
  return [desk](std::uint64_t id, const UpnpAnswer& answer) {
    const std::scoped_lock lock{desk->mutex};
    desk->answers.emplace_back(id, answer.code);
    desk->changed.notify_all();
  };
}
/// Its answer's code is the port that was asked for.
Upnp::Work work(const DeskPtr& desk) {
  return {[desk](const UpnpWish& wish, std::string& seen) -> UpnpAnswer {
            seen += 'm';
            std::unique_lock lock{desk->mutex};
            desk->most = std::max(desk->most, ++desk->inside);
            desk->mapped.push_back(wish.outer_port);
            desk->changed.notify_all();
            desk->changed.wait(lock, [&] { return desk->open; });
            --desk->inside;
            return {.code = wish.outer_port};
          },
          [desk](const UpnpWish& wish, std::string& seen) {
            seen += 'u';
            std::this_thread::sleep_for(desk->unmap_takes);
            const std::scoped_lock lock{desk->mutex};
            desk->unmapped.push_back(wish.outer_port);
            desk->changed.notify_all();
          }};
}
UpnpWish wish(std::uint16_t port) {
  return {IpAddress::v4({192, 168, 0, 1}), {IpAddress::v4({192, 168, 0, 2}), 9470}, port, 1h};
}

TEST_CASE("UPnP: every request is answered once, in order, and one is under way at a time") {
  const auto desk = std::make_shared<Desk>();
  Upnp upnp{deliver(desk), work(desk), 10s};
  for (std::uint16_t i = 0; i < Upnp::kWaiting; ++i) upnp.map(i, wish(i));
  REQUIRE(desk->wait([&] { return desk->answers.size() == Upnp::kWaiting; }));
  for (std::size_t i = 0; i < Upnp::kWaiting; ++i) CHECK(desk->answers[i] == std::pair{std::uint64_t{i}, static_cast<int>(i)});
  CHECK(desk->most == 1);
  upnp.map(99, wish(99));  // its thread had ended
  REQUIRE(desk->wait([&] { return desk->answers.size() == Upnp::kWaiting + 1; }));
}

TEST_CASE("UPnP: more than may wait are refused at once") {
  const auto desk = std::make_shared<Desk>();
  desk->let(false);
  Upnp upnp{deliver(desk), work(desk), 10s};
  upnp.map(0, wish(1));
  REQUIRE(desk->wait([&] { return desk->inside == 1; }));
  for (std::uint64_t i = 1; i <= Upnp::kWaiting; ++i) upnp.map(i, wish(1));
  CHECK(desk->answers.empty());
  upnp.map(77, wish(1));
  REQUIRE(desk->answers.size() == 1);
  CHECK(desk->answers[0] == std::pair{std::uint64_t{77}, UpnpAnswer::kFailed});
  desk->let(true);
  CHECK(desk->wait([&] { return desk->answers.size() == Upnp::kWaiting + 2; }));
}

TEST_CASE("UPnP: who takes too long has failed, and nobody else is let in until he is gone") {
  const auto desk = std::make_shared<Desk>();
  desk->let(false);
  Upnp upnp{deliver(desk), work(desk), 50ms};
  upnp.map(1, wish(1));
  REQUIRE(desk->wait([&] { return desk->answers.size() == 1; }));
  CHECK(desk->answers[0] == std::pair{std::uint64_t{1}, UpnpAnswer::kFailed});
  upnp.map(2, wish(2));
  REQUIRE(desk->wait([&] { return desk->answers.size() == 2; }));
  CHECK(desk->answers[1].second == UpnpAnswer::kFailed);
  CHECK(desk->mapped == std::vector<std::uint16_t>{1});
  desk->let(true);
  for (std::uint64_t id = 3; id < 1000 && desk->answers.back().second != 3; ++id) {
    const std::size_t before = desk->answers.size();
    upnp.map(id, wish(3));
    REQUIRE(desk->wait([&] { return desk->answers.size() == before + 1; }));
  }
  CHECK(desk->answers.back().second == 3);
}

TEST_CASE("UPnP: the end waits for what is deleted, not for what is mapped, and nothing is answered after it") {
  const auto desk = std::make_shared<Desk>();
  desk->unmap_takes = 100ms;
  {
    Upnp upnp{deliver(desk), work(desk), 10s};
    upnp.unmap(wish(5));
  }
  CHECK(desk->unmapped == std::vector<std::uint16_t>{5});
  desk->let(false);
  const auto begin = std::chrono::steady_clock::now();
  {
    Upnp upnp{deliver(desk), work(desk), 10s};
    upnp.map(1, wish(1));
    REQUIRE(desk->wait([&] { return desk->inside == 1; }));
    upnp.map(2, wish(2));
  }
  CHECK(std::chrono::steady_clock::now() - begin < 500ms);
  desk->let(true);
  std::this_thread::sleep_for(50ms);
  CHECK(desk->answers.empty());
  CHECK(desk->mapped == std::vector<std::uint16_t>{1});

  desk->let(false);
  const auto late = std::chrono::steady_clock::now();
  {
    Upnp upnp{deliver(desk), work(desk), 10s};
    upnp.map(1, wish(1));
    upnp.unmap(wish(6));  // behind one that hangs: it is not waited for longer than kGoodbye
  }
  CHECK(std::chrono::steady_clock::now() - late < Upnp::kGoodbye + 500ms);
  desk->let(true);
  desk->wait([&] { return desk->inside == 0; });
}

TEST_CASE("UPnP: on loopback nobody is a gateway, and that is found out within seconds") {
  std::string description;
  const auto begin = std::chrono::steady_clock::now();
  const UpnpAnswer answer =
      upnp_map({IpAddress::v4({127, 0, 0, 1}), {IpAddress::v4({127, 0, 0, 1}), 9470}, 9470, 1h}, description);
  CHECK(answer.code == UpnpAnswer::kNoGateway);
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  CHECK(description.empty());
}

}  // namespace
}  // namespace pw::io
