// By which failures this node may judge a peer.
#include "peer/fitness.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using namespace pw::peer;

namespace {

constexpr Instant kDial{100s};  // began

PeerId id_of(std::uint8_t n) {
  std::array<std::uint8_t, 32> key{};
  key[0] = n;
  return PeerId{key};
}

}  // namespace

TEST_CASE("who never heard anybody else judges a silent peer") {
  Fitness f;
  CHECK(f.judges(id_of(1), kDial));
  f.heard(kDial - 1s, id_of(1));  // it alone, before it died
  CHECK(f.judges(id_of(1), kDial));
}

TEST_CASE("who hears nobody at all, though it did before, judges nobody") {
  Fitness f;
  f.heard(kDial - 1s, id_of(2));
  CHECK_FALSE(f.judges(id_of(1), kDial));
  f.heard(kDial + 1s, id_of(1));  // an answer of the peer itself tells nothing of the others
  CHECK_FALSE(f.judges(id_of(1), kDial));
  f.heard(kDial + 2s, id_of(2));
  CHECK(f.judges(id_of(1), kDial));
  f.heard(kDial + 3s, id_of(3));
  CHECK(f.judges(id_of(1), kDial));
  CHECK(f.judges(id_of(2), kDial));
}

TEST_CASE("who is heard again and again does not hide who else was heard") {
  Fitness f;
  f.heard(kDial + 1s, id_of(2));
  for (int i = 2; i < 9; ++i) f.heard(kDial + i * 1s, id_of(1));
  CHECK(f.judges(id_of(1), kDial));
  CHECK_FALSE(f.judges(id_of(1), kDial + 2s));
}

TEST_CASE("who stood still while the dial was under way judges nobody by it") {
  Fitness f;
  f.late(kDial - 1s, 10s);
  CHECK(f.judges(id_of(1), kDial));
  f.late(kDial + 1s, Fitness::kStoodStill - 1ns);
  CHECK(f.judges(id_of(1), kDial));
  f.late(kDial + 1s, Fitness::kStoodStill);
  CHECK_FALSE(f.judges(id_of(1), kDial));
  CHECK(f.judges(id_of(1), kDial + 2s));
}

TEST_CASE("who has no network judges nobody, nor by a dial that the network changed under") {
  Fitness f;
  f.network_changed(kDial + 1s, false);
  CHECK_FALSE(f.judges(id_of(1), kDial));
  CHECK_FALSE(f.judges(id_of(1), kDial + 1h));
  f.network_changed(kDial + 2h, true);
  CHECK_FALSE(f.judges(id_of(1), kDial + 1h));
  CHECK(f.judges(id_of(1), kDial + 3h));
}
