#include "io/resolver.hpp"

#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace pw::io {
namespace {

using namespace std::chrono_literals;

struct Answers {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, Resolver::Answer> all;
  bool twice = false;

  Resolver::Deliver deliver() {
    return [this](std::uint64_t id, Resolver::Answer answer) {
      const std::scoped_lock lock{mutex};
      twice = !all.emplace(id, std::move(answer)).second || twice;
      changed.notify_all();
    };
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, 10s, [&] { return all.size() >= count; });
  }
};

/// A look-up that hangs until it is let go.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int inside = 0;
  int most = 0;

  void pass() {
    std::unique_lock lock{mutex};
    most = std::max(most, ++inside);
    changed.notify_all();
    changed.wait(lock, [&] { return open; });
    --inside;
  }
  void let_go() {
    const std::scoped_lock lock{mutex};
    open = true;
    changed.notify_all();
  }
  bool wait_for_inside(int count, std::chrono::milliseconds within = 10s) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, within, [&] { return inside >= count; });
  }
};

TEST_CASE("a numeric address needs no look-up") {
  Answers answers;
  Resolver resolver{answers.deliver(), [](const std::string&) -> Resolver::Answer { return fail("asked"); }};
  resolver.resolve(1, "192.0.2.7");
  resolver.resolve(2, "2001:db8::7");
  REQUIRE(answers.all.size() == 2);
  CHECK(answers.all.at(1)->front() == *IpAddress::parse("192.0.2.7"));
  CHECK(answers.all.at(2)->front() == *IpAddress::parse("2001:db8::7"));
}

TEST_CASE("the machine's own name resolves through the system") {
  Answers answers;
  Resolver resolver{answers.deliver()};
  resolver.resolve(1, "localhost");
  REQUIRE(answers.wait_for(1));
  REQUIRE(answers.all.at(1));
  for (const IpAddress& ip : *answers.all.at(1)) CHECK(ip.is_loopback());
}

TEST_CASE("every look-up is answered once, with at most kConcurrent under way") {
  Answers answers;
  auto gate = std::make_shared<Gate>();
  Resolver resolver{answers.deliver(), [gate](const std::string& host) -> Resolver::Answer {
                      gate->pass();
                      if (host == "bad.example") return fail("no such name");
                      return std::vector{*IpAddress::parse("192.0.2.1")};
                    }};
  constexpr std::uint64_t kMany = 40;
  for (std::uint64_t id = 0; id < kMany; ++id) resolver.resolve(id, id % 2 == 0 ? "good.example" : "bad.example");
  REQUIRE(gate->wait_for_inside(static_cast<int>(Resolver::kConcurrent)));
  CHECK_FALSE(gate->wait_for_inside(static_cast<int>(Resolver::kConcurrent) + 1, 200ms));
  gate->let_go();
  REQUIRE(answers.wait_for(kMany));
  CHECK_FALSE(answers.twice);
  CHECK(gate->most == static_cast<int>(Resolver::kConcurrent));
  for (const auto& [id, answer] : answers.all) CHECK(answer.has_value() == (id % 2 == 0));
}

TEST_CASE("beyond the limit of waiting look-ups the answer is an error at once") {
  Answers answers;
  auto gate = std::make_shared<Gate>();
  {
    Resolver resolver{answers.deliver(), [gate](const std::string&) -> Resolver::Answer {
                        gate->pass();
                        return fail("late");
                      }};
    for (std::uint64_t id = 0; id < Resolver::kConcurrent; ++id) resolver.resolve(id, "slow.example");
    REQUIRE(gate->wait_for_inside(static_cast<int>(Resolver::kConcurrent)));
    for (std::uint64_t id = 100; id < 100 + Resolver::kWaiting; ++id) resolver.resolve(id, "waits.example");
    CHECK(answers.all.empty());
    resolver.resolve(9999, "one.too.many");
    REQUIRE(answers.all.size() == 1);
    CHECK_FALSE(answers.all.at(9999));
  }
  // The resolver is gone though four look-ups still hang; their answers go nowhere.
  gate->let_go();
  std::this_thread::sleep_for(50ms);
  CHECK(answers.all.size() == 1);
}

}  // namespace
}  // namespace pw::io
