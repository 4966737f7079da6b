#include <catch2/catch_test_macros.hpp>
#include <set>

#include "peer/admission.hpp"
#include "peer/state.hpp"

using namespace pw;
using event::SessionState;
using S = SessionState;

TEST_CASE("exactly these transitions exist") {
  const std::set<std::pair<S, S>> legal = {
      {S::disconnected, S::connecting},    {S::connecting, S::connected},    {S::connecting, S::failed},
      {S::connecting, S::disconnecting},   {S::connected, S::disconnecting}, {S::connected, S::failed},
      {S::disconnecting, S::disconnected}, {S::failed, S::connecting},       {S::failed, S::disconnected}};
  for (std::size_t from = 0; from < enum_count<S>(); ++from)
    for (std::size_t to = 0; to < enum_count<S>(); ++to)
      CHECK(peer::legal(static_cast<S>(from), static_cast<S>(to)) ==
            legal.contains({static_cast<S>(from), static_cast<S>(to)}));
}

TEST_CASE("a proof is worth nothing on another connection, in the other role, for other keys or another mesh") {
  const Buffer secret(32, 1);
  const Buffer previous(32, 2);
  const std::array<std::uint8_t, 32> here{1};
  const std::array<std::uint8_t, 32> elsewhere{2};
  const PeerId a{std::array<std::uint8_t, 32>{1}};
  const PeerId b{std::array<std::uint8_t, 32>{2}};
  const std::string mesh = "default";
  const std::string other = "other";
  peer::Membership m;
  m.secrets = {secret, previous};
  const peer::ProofInput input{here, peer::Role::dialler, a, b, mesh};
  const auto proof = peer::prove(secret, input);
  CHECK(peer::verify(m, input, proof) == 0);
  CHECK(peer::verify(m, input, peer::prove(previous, input)) == 1);
  CHECK_FALSE(peer::verify(m, {elsewhere, peer::Role::dialler, a, b, mesh}, proof));
  CHECK_FALSE(peer::verify(m, {here, peer::Role::acceptor, a, b, mesh}, proof));
  CHECK_FALSE(peer::verify(m, {here, peer::Role::dialler, b, a, mesh}, proof));
  CHECK_FALSE(peer::verify(m, {here, peer::Role::dialler, a, b, other}, proof));
  m.secrets = {};
  CHECK_FALSE(peer::verify(m, input, proof));
}

TEST_CASE("a key is judged: ourselves and the denied never, with an allowlist only the listed") {
  const PeerId self{std::array<std::uint8_t, 32>{1}};
  const PeerId other{std::array<std::uint8_t, 32>{2}};
  peer::Membership m;
  using event::AdmissionRefusal;
  CHECK(peer::judge_key(self, self, m, true) == AdmissionRefusal::self);
  CHECK(peer::judge_key(other, self, m, false) == AdmissionRefusal::not_allowlisted);
  CHECK_FALSE(peer::judge_key(other, self, m, true));
  m.admission = peer::AdmissionMode::secret;
  CHECK_FALSE(peer::judge_key(other, self, m, false));
  m.deny = {other};
  CHECK(peer::judge_key(other, self, m, true) == AdmissionRefusal::denied);
}
