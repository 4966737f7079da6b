// Plan: what two ends try, to reach each other directly, by what is known of the NATs of both. Both compute it from the
// same two sides and get the same plan, each from its own point of view; who knows better than the arithmetic of a pair
// of NATs would only disagree with the other end.
//
// A pair is easy where one address of an end serves all remotes (endpoint-independent mapping, RFC 4787 section 4.1, or no
// NAT), hard where it does not:
//   easy, easy                         punch
//   easy that admits any port, hard    punch: the hard end's packets come from an unknown port and are let in
//   easy that admits one port, hard    prediction if the hard end's ports come in steps, else a birthday search
//   hard, hard                         prediction if both come in steps; a birthday search if one of them has one port for
//                                      all ports of an address (ADM) and admits any port of it; else nothing: even odds
//                                      would cost 0.69 of all ports from each end
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/names.hpp"
#include "event/nat.hpp"
#include "nat/candidate.hpp"

namespace pw::nat {

/// The cheapest first.
enum class Method : std::uint8_t { punch, prediction, birthday, none };
constexpr auto names(Method) { return std::array{"punch"sv, "prediction"sv, "birthday"sv, "none"sv}; }

enum class Why : std::uint8_t {
  easy,
  open_filter,
  port_mapping,
  unknown_behaviour,
  predictable,
  search,
  same_nat,
  no_candidates,
  udp_blocked,
  infeasible,
  unsupported
};
constexpr auto names(Why) {
  return std::array{"easy"sv,   "open_filter"sv, "port_mapping"sv,  "unknown_behaviour"sv, "predictable"sv,
                    "search"sv, "same_nat"sv,    "no_candidates"sv, "udp_blocked"sv,       "infeasible"sv,
                    "unsupported"sv};
}
/// For people; without a full stop.
std::string_view describe(Why why);

/// `hard`: its ports are what has to be found; `easy`: it looks for them. Both are hard where each predicts the other.
enum class Role : std::uint8_t { either, hard, easy };
constexpr auto names(Role) { return std::array{"either"sv, "hard"sv, "easy"sv}; }

/// To which of the other's candidates plain checks go, besides what the method does.
enum class Plain : std::uint8_t { none, hosts, all };

struct Side {
  std::array<event::NatBehaviour, 2> behaviour;  // by Family
  std::vector<Candidate> candidates;             // as exchanged; a port_mapped one was reached from outside
  bool initiator = false;                        // of exactly one of two sides; ends that are alike have no other order
  bool predicts = true;                          // it speaks prediction, and the birthday search
  bool searches = true;
};

struct FamilyPlan {
  Method method = Method::none;
  Why why = Why::no_candidates;
  Role local = Role::either;
  Role remote = Role::either;
  Plain plain = Plain::none;
  /// That end first lets the other send. A mapped port behind a hard NAT is inbound only: what its host sends first leaves
  /// from another port, which the other's filter stops, and spoils the answers.
  bool local_waits = false;
  bool remote_waits = false;
  bool operator==(const FamilyPlan&) const = default;
};

struct Plan {
  std::array<FamilyPlan, 2> families;
  Family family = Family::v6;  // the one whose method is this round's; plain checks go in both
  const FamilyPlan& chosen() const { return families[static_cast<std::size_t>(family)]; }
  Method method() const { return chosen().method; }
  Why why() const { return chosen().why; }
  /// The same plan, seen from the other end.
  Plan mirrored() const;
  bool operator==(const Plan&) const = default;
};

/// plan(a, b, n) == plan(b, a, n).mirrored(). Later rounds take the families in turn that have a method, the cheapest
/// method first: what failed once, though it should not have, is not all that is tried.
Plan plan(const Side& local, const Side& remote, unsigned round = 0);

/// Whether a check of that candidate of the other end's is likely to be answered though nobody punches: a mapped port, or an
/// address of its machine that is on the internet, or by the looks in our own network. Others are worth a check (a VPN may
/// lead there), but not worth waiting for.
bool likely_open(const Candidate& theirs, const Side& local, const Side& remote);

}  // namespace pw::nat
