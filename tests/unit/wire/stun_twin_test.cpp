// Two codecs that were written apart, the daemon's and the simulator's, read one another.
#include <catch2/catch_test_macros.hpp>

#include "sim/stun/stun_message.cpp"  // compiled in here: this room's tests don't link the simulator
#include "unit/wire/stun_samples.hpp"

using namespace pw;
namespace stun = pw::wire::stun;

namespace {

/// Without MAPPED-ADDRESS, which only the simulator's writes.
net::StunMessage twin_of(const stun::Message& m, bool fingerprint) {
  net::StunMessage out;
  out.kind = static_cast<net::StunMessage::Class>(m.kind);
  out.id = m.transaction;
  out.xor_mapped = m.mapped;
  out.response_origin = m.response_origin;
  out.other_address = m.other_address;
  if (m.change) out.change = net::ChangeRequest{m.change->ip, m.change->port};
  if (m.error) out.error = net::StunError{m.error->code, m.error->reason};
  out.unknown_attributes = m.unknown;
  out.software = m.software.value_or("");
  out.fingerprint = fingerprint;
  return out;
}

}  // namespace

TEST_CASE("what one codec writes the other reads, both ways") {
  Rng rng{1};
  for (int i = 0; i < 5000; ++i) {
    const stun::Message m = stun::random_public_message(rng);
    const bool fingerprint = rng.chance(0.5);
    const net::StunMessage twin = twin_of(m, fingerprint);
    const auto theirs = net::decode_stun(stun::encode(
        m, stun::Integrity::none, {}, fingerprint ? stun::Fingerprint::with : stun::Fingerprint::without));
    REQUIRE(theirs);
    REQUIRE(*theirs == twin);
    const auto ours = stun::decode(net::encode(twin));
    REQUIRE(ours);
    REQUIRE(ours->message == m);
    REQUIRE(ours->fingerprint == fingerprint);
  }
}

TEST_CASE("a plain MAPPED-ADDRESS of the other codec is taken where it is the only one") {
  Rng rng{2};
  net::StunMessage theirs;
  theirs.kind = net::StunMessage::Class::success;
  theirs.mapped = stun::random_address(rng);
  CHECK(stun::decode(net::encode(theirs))->message.mapped == theirs.mapped);
  theirs.xor_mapped = stun::random_address(rng);
  CHECK(stun::decode(net::encode(theirs))->message.mapped == theirs.xor_mapped);
}

TEST_CASE("bytes that changed on the way mean the same to both, or nothing to one") {
  Rng rng{3};
  int both = 0;
  for (int i = 0; i < 20000; ++i) {
    const stun::Message m = stun::random_public_message(rng);
    Buffer bytes = stun::encode(m, stun::Integrity::none, {}, stun::Fingerprint::without);
    for (std::size_t n = 1 + rng.below(3); n > 0; --n)
      bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.next());
    const auto ours = stun::decode(bytes);
    const auto theirs = net::decode_stun(bytes);
    // What follows an integrity attribute counts for the simulator's, which knows none.
    if (!ours || !theirs || ours->integrity != stun::Integrity::none) continue;
    ++both;
    const net::StunMessage read = twin_of(ours->message, false);
    REQUIRE(theirs->kind == read.kind);
    REQUIRE(theirs->id == read.id);
    REQUIRE((theirs->xor_mapped ? theirs->xor_mapped : theirs->mapped) == read.xor_mapped);
    REQUIRE(theirs->response_origin == read.response_origin);
    REQUIRE(theirs->other_address == read.other_address);
    REQUIRE(theirs->change == read.change);
    REQUIRE(theirs->error.has_value() == read.error.has_value());
    if (read.error) REQUIRE(theirs->error->code == read.error->code);
    REQUIRE(theirs->response_port.has_value() == ours->response_port);
  }
  CHECK(both > 5000);
}
