// WebSockets between two ends of one process, over loopback.
#include "io/pipes.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <map>
#include <vector>

#include "io/clock.hpp"
#include "unit/io/self_signed.hpp"

namespace pw::io {
namespace {

struct End : PipeUser {
  explicit End(boost::asio::io_context& context) : pipes{context, *this} {}

  Via pipe_accepted(const SocketAddress&) override { return accepted.emplace_back(Via{static_cast<std::uint32_t>(100 + accepted.size())}); }
  void pipe_opened(Via via, const Result<SocketAddress>& opened) override { openings.emplace(via, opened); }
  void pipe_closed(Via via) override { closed.push_back(via); }
  void pipe_read(const PathAddress& from, ByteView packet) override {
    sources.push_back(from);
    packets.emplace_back(packet.begin(), packet.end());
  }
  void pipe_refused(event::PipeRefusal reason, const SocketAddress&) override { refused.push_back(reason); }
  void pipe_trouble(const std::string& detail) override { troubles.push_back(detail); }

  std::vector<Via> accepted;
  std::map<Via, Result<SocketAddress>> openings;
  std::vector<Via> closed;
  std::vector<PathAddress> sources;
  std::vector<Buffer> packets;
  std::vector<event::PipeRefusal> refused;
  std::vector<std::string> troubles;
  Pipes pipes;
};

struct Both {
  explicit Both(const std::string& path = "/relay") {
    auto tls = PipeTls::server(self.certificate, self.key);
    REQUIRE(tls);
    REQUIRE(server.pipes.listen({IpAddress::v4({127, 0, 0, 1}), 0}, path, std::move(*tls)));
  }
  ~Both() {
    client.pipes.stop();
    server.pipes.stop();
    context.poll();
  }
  WebSocketAddress address(const std::string& path = "/relay") const {
    return {"127.0.0.1", server.pipes.listening().port, path};
  }
  bool run(const std::function<bool()>& until, Duration limit = 10s) {
    const Instant end = Clock::now() + limit;
    while (!until() && Clock::now() < end) context.run_one_for(std::chrono::milliseconds{10});
    return until();
  }
  bool open(Via via) {
    client.pipes.open(via, address());
    return run([&] { return client.openings.contains(via) && !server.accepted.empty(); }) && client.openings.at(via);
  }

  test::SelfSigned self;
  boost::asio::io_context context{1};
  End server{context};
  End client{context};
};

Buffer packet(std::size_t size, std::uint8_t fill) { return Buffer(size, fill); }

}  // namespace

TEST_CASE("what goes into a pipe comes out at the other end, packet by packet, both ways") {
  Both b;
  REQUIRE(b.open(Via{7}));
  CHECK(b.client.openings.at(Via{7}).value() == b.server.pipes.listening());
  CHECK(b.client.pipes.send(Via{7}, packet(1232, 1)));
  CHECK(b.client.pipes.send(Via{7}, packet(1, 2)));
  CHECK(b.server.pipes.send(Via{100}, packet(1200, 3)));
  REQUIRE(b.run([&] { return b.server.packets.size() == 2 && b.client.packets.size() == 1; }));
  CHECK(b.server.packets[0] == packet(1232, 1));
  CHECK(b.server.packets[1] == packet(1, 2));
  CHECK(b.client.packets[0] == packet(1200, 3));
  CHECK(b.server.sources[0].via == Via{100});
  CHECK(b.server.sources[0].remote.ip == IpAddress::v4({127, 0, 0, 1}));
  CHECK(b.client.sources[0] == PathAddress{IpAddress{}, b.server.pipes.listening(), Via{7}});
}

TEST_CASE("a packet that is too large, or finds a full queue, is dropped, and the others arrive") {
  Both b;
  REQUIRE(b.open(Via{7}));
  CHECK_FALSE(b.client.pipes.send(Via{7}, packet(1233, 1)));
  std::size_t taken = 0;
  for (int i = 0; i < 1000; ++i) taken += b.client.pipes.send(Via{7}, packet(1200, 2));
  CHECK(taken >= Pipe::kMaxQueue / 1200);
  CHECK(taken < 100);
  CHECK(b.run([&] { return b.server.packets.size() == taken; }));
  CHECK(b.client.pipes.send(Via{7}, packet(1200, 2)));
}

TEST_CASE("the end of a pipe is told at the other end, and a packet to it goes nowhere") {
  Both b;
  REQUIRE(b.open(Via{7}));
  b.client.pipes.send(Via{7}, packet(100, 9));
  b.client.pipes.close(Via{7});
  REQUIRE(b.run([&] { return b.server.closed == std::vector{Via{100}}; }));
  CHECK(b.server.packets.size() == 1);  // what was said before the end was heard
  CHECK(b.client.closed.empty());
  CHECK_FALSE(b.client.pipes.send(Via{7}, packet(100, 9)));
  CHECK_FALSE(b.server.pipes.send(Via{100}, packet(100, 9)));
  CHECK(b.server.refused.empty());

  REQUIRE(b.open(Via{8}));
  REQUIRE(b.run([&] { return b.server.accepted.size() == 2; }));
  b.server.pipes.close(Via{101});
  CHECK(b.run([&] { return b.client.closed == std::vector{Via{8}}; }));
}

TEST_CASE("a pipe that can't be opened says why") {
  Both b;
  b.client.pipes.open(Via{7}, b.address("/elsewhere"));
  REQUIRE(b.run([&] { return b.client.openings.contains(Via{7}); }));
  CHECK_FALSE(b.client.openings.at(Via{7}));
  CHECK(b.run([&] { return b.server.refused == std::vector{event::PipeRefusal::wrong_path}; }));
  CHECK(b.server.accepted.empty());
  b.client.pipes.open(Via{8}, {"127.0.0.1", 1, "/relay"});
  REQUIRE(b.run([&] { return b.client.openings.contains(Via{8}); }));
  CHECK_FALSE(b.client.openings.at(Via{8}));
  b.client.pipes.open(Via{9}, {"nowhere.invalid", 443, "/relay"});
  REQUIRE(b.run([&] { return b.client.openings.contains(Via{9}); }));
  CHECK_FALSE(b.client.openings.at(Via{9}));
}

TEST_CASE("one address has so many pipes and no more, and another takes the place of one that ended") {
  Both b;
  for (std::uint32_t i = 0; i < Pipes::kMaxOfSource + 5; ++i) b.client.pipes.open(Via{i + 1}, b.address());
  REQUIRE(b.run([&] { return b.client.openings.size() == Pipes::kMaxOfSource + 5; }, 30s));
  CHECK(b.server.accepted.size() == Pipes::kMaxOfSource);
  CHECK(std::ranges::count(b.server.refused, event::PipeRefusal::source_limit) == 5);
  const auto open = std::ranges::find_if(b.client.openings, [](const auto& o) { return o.second.has_value(); });
  b.client.pipes.close(open->first);
  REQUIRE(b.run([&] { return b.server.closed.size() == 1; }));
  CHECK(b.open(Via{1000}));
}

TEST_CASE("a certificate and a key that don't go together, or are none, are refused; when one ends is known") {
  const test::SelfSigned one{10}, other{10};
  const auto good = PipeTls::server(one.certificate, one.key);
  REQUIRE(good);
  const Duration left = good->expiry() - Clock::wall();
  CHECK(left > 9 * 24h);
  CHECK(left <= 10 * 24h);
  CHECK_FALSE(PipeTls::server(one.certificate, other.key));
  CHECK_FALSE(PipeTls::server("nothing", one.key));
  CHECK_FALSE(PipeTls::server(one.certificate, "nothing"));
  CHECK_FALSE(PipeTls::server("", ""));
}

}  // namespace pw::io
