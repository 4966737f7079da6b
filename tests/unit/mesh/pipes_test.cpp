#include "mesh/pipes.hpp"

#include <catch2/catch_test_macros.hpp>

namespace pw::mesh {
namespace {

const SocketAddress kFrom{IpAddress::v4({192, 0, 2, 1}), 40000};

}  // namespace

TEST_CASE("a pipe by which nobody is served is told with where it came from, once, when its time is over") {
  Pipes pipes;
  const Instant now{1s};
  std::uint32_t next = 7;
  const Via client = pipes.accepted(now, kFrom, next);
  const Via nobody = pipes.accepted(now, kFrom, next);
  const auto serves = [&](Via via) { return via == client; };
  CHECK(client != nobody);
  CHECK(pipes.poll_timeout() == now + Pipes::kPatience);
  CHECK(pipes.unused(now + Pipes::kPatience - 1ns, serves).empty());
  const auto told = pipes.unused(now + Pipes::kPatience, serves);
  REQUIRE(told.size() == 1);
  CHECK(told[0] == std::pair{nobody, kFrom});
  CHECK(pipes.closes(nobody));
  CHECK_FALSE(pipes.closes(nobody));
  CHECK(pipes.has(client));
  // Who was a client in time takes his pipe with him.
  CHECK(pipes.poll_timeout() == kNever);
  CHECK(pipes.unused(now + 2 * Pipes::kPatience, [](Via) { return false; }).empty());
}

TEST_CASE("a pipe that this node opened is its server's affair, however long it takes") {
  Pipes pipes;
  pipes.opens(Via{3});
  CHECK(pipes.has(Via{3}));
  CHECK(pipes.poll_timeout() == kNever);
  CHECK(pipes.unused(Instant{1000s}, [](Via) { return false; }).empty());
  pipes.closed(Via{3});
  CHECK_FALSE(pipes.has(Via{3}));
}

}  // namespace pw::mesh
