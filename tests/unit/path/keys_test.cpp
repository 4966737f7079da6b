#include "path/keys.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace pw;
using path::derive_keys;

TEST_CASE("what one end sends with is what the other receives with, and the two directions differ") {
  const path::Exporter exporter{1, 2, 3};
  const auto dialler = derive_keys(exporter, true);
  const auto acceptor = derive_keys(exporter, false);
  CHECK(dialler.send == acceptor.receive);
  CHECK(dialler.receive == acceptor.send);
  CHECK(dialler.own_tag == acceptor.peer_tag);
  CHECK(dialler.peer_tag == acceptor.own_tag);
  CHECK(dialler.send != dialler.receive);
  CHECK(dialler.own_tag != dialler.peer_tag);
  CHECK(dialler.own_tag.size() == 16);
  CHECK(to_hex(ByteView{dialler.send}).substr(0, 16) != dialler.own_tag);
}

TEST_CASE("another connection has other keys and tags") {
  const auto one = derive_keys({1}, true);
  const auto other = derive_keys({2}, true);
  CHECK(one.send != other.send);
  CHECK(one.receive != other.receive);
  CHECK(one.own_tag != other.own_tag);
  CHECK(one.peer_tag != other.peer_tag);
}

/// Of the exporter 00 01 … 1f, worked out apart: two daemons of different versions have to agree.
TEST_CASE("keys are what the labels make of the exporter") {
  path::Exporter exporter{};
  for (std::size_t i = 0; i < exporter.size(); ++i) exporter[i] = static_cast<std::uint8_t>(i);
  const auto keys = derive_keys(exporter, true);
  CHECK(keys.own_tag == "d1babcfc603abb14");
  CHECK(keys.peer_tag == "6987de85681763fe");
  CHECK(to_hex(ByteView{keys.send}) == "00b94e84201cb7f129fa7435cf887046174b6e213edfd1fe242b6a0bb51cdda5");
  CHECK(to_hex(ByteView{keys.receive}) == "a4b01a3954aa91c510706b1c073b5a4124d767e59edd2882f6cc42ee312f412d");
}
