#include "event/event.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "event/command.hpp"

namespace pw::event {
namespace {

template <class E>
void check_names() {
  std::set<std::string_view> seen;
  for (const std::string_view n : names(E{})) {
    CHECK_FALSE(n.empty());
    CHECK(n.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos);
    CHECK(seen.insert(n).second);
    CHECK(from_name<E>(n).has_value());
    CHECK(name(*from_name<E>(n)) == n);
  }
  CHECK_FALSE(from_name<E>("no such name"));
}

TEST_CASE("every enumerator has one name, fit for labels, and no other has it") {
  check_names<SessionState>();
  check_names<DialResult>();
  check_names<ErrorType>();
  check_names<CloseReason>();
  check_names<AdmissionRefusal>();
  check_names<PathKind>();
  check_names<PathHealth>();
  check_names<PathChangeReason>();
  check_names<Direction>();
  check_names<ProbeDirection>();
  check_names<DiscoveryMethod>();
  check_names<RejectReason>();
  check_names<Queue>();
  check_names<CommandError>();
}

TEST_CASE("no enumerator is missing from its names: the last one of each has the last name") {
  CHECK(name(SessionState::failed) == names(SessionState{}).back());
  CHECK(name(DialResult::cancelled) == names(DialResult{}).back());
  CHECK(name(ErrorType::unknown) == names(ErrorType{}).back());
  CHECK(name(CloseReason::error) == names(CloseReason{}).back());
  CHECK(name(AdmissionRefusal::self) == names(AdmissionRefusal{}).back());
  CHECK(name(PathKind::none) == names(PathKind{}).back());
  CHECK(name(PathHealth::dead) == names(PathHealth{}).back());
  CHECK(name(Direction::outbound) == names(Direction{}).back());
  CHECK(name(ProbeDirection::back) == names(ProbeDirection{}).back());
  CHECK(name(DiscoveryMethod::inbound) == names(DiscoveryMethod{}).back());
  CHECK(name(RejectReason::wrong_source) == names(RejectReason{}).back());
  CHECK(name(Queue::pipes) == names(Queue{}).back());
  CHECK(name(CommandError::stopping) == names(CommandError{}).back());
  CHECK(name(ErrorType::path_validation) == "path_validation");
  CHECK(name(CloseReason::operator_request) == "operator");
  CHECK(name(ProbeDirection::back) == "return");
  CHECK(name(DiscoveryMethod::configured) == "static");
}

/// The event's struct name, turned into snake_case, as the compiler spells it.
template <class T>
std::string snake_case_name() {
  std::string_view pretty = __PRETTY_FUNCTION__;
  pretty = pretty.substr(pretty.find("T = ") + 4);
  pretty = pretty.substr(0, pretty.find_first_of(";]"));
  pretty = pretty.substr(pretty.rfind(':') + 1);
  std::string out;
  for (const char c : pretty) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !out.empty()) out += '_';
    out += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

template <std::size_t... I>
std::vector<std::string> type_names(std::index_sequence<I...>) {
  return {snake_case_name<std::variant_alternative_t<I, Event>>()...};
}

TEST_CASE("the name of an event is its type's, in the order of the variant") {
  const auto types = type_names(std::make_index_sequence<std::variant_size_v<Event>>{});
  CHECK(types == std::vector<std::string>(kEventNames.begin(), kEventNames.end()));
  CHECK(name_of(Event{NodeStopping{}}) == "node_stopping");
  CHECK(name_of(Event{PeerAdded{}}) == "peer_added");
}

TEST_CASE("an event about a peer tells which, the others none") {
  std::array<std::uint8_t, PeerId::kSize> key{};
  key[0] = 7;
  const PeerId peer{key};
  CHECK(peer_of(StateChanged{peer, SessionState::connecting, SessionState::connected}) == peer);
  CHECK(peer_of(EchoMeasured{peer, PathKind::direct_v4, 1ms, false}) == peer);
  CHECK(peer_of(ConnectionFailed{peer, {}, ErrorType::timeout, ""}) == peer);
  CHECK(peer_of(ConnectionFailed{std::nullopt, {}, ErrorType::timeout, ""}) == std::nullopt);
  CHECK(peer_of(NodeStopping{}) == std::nullopt);
  CHECK(peer_of(PacketRejected{RejectReason::stun, {}}) == std::nullopt);
  CHECK(peer_of(NodeStarted{peer, {}}) == std::nullopt);  // about this node, not a peer
}

}  // namespace
}  // namespace pw::event
