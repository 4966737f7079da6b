#include "sim/matrix/cell.hpp"

namespace pw::sim::matrix {
namespace {

using event::TraversalFailure;
using event::TraversalMethod;
using net::Place;

// Of networks in which the two meet without the internet.
constexpr Duration kNear = 1ms;

Best best_of(char letter, bool udp) {
  if (!udp) return Best::websocket;
  return letter == 'P' ? Best::punch : letter == 'S' ? Best::prediction : letter == 'B' ? Best::birthday : Best::relay;
}

/// What is told of an attempt where this is the best.
void told(Cell& cell) {
  if (expected(cell.best) == Outcome::direct)
    cell.method = cell.best == Best::prediction ? TraversalMethod::prediction
                  : cell.best == Best::birthday ? TraversalMethod::birthday
                                                : TraversalMethod::punch;
  else
    cell.failure = TraversalFailure::infeasible;
}

Cell two(std::string first, std::string second, Best best, const Home& a, const Home& b) {
  Cell cell{.first = std::move(first), .second = std::move(second), .best = best, .settle = [a, b](TwoHomes& h) {
              h.a = &h.settle("a", 1, a);
              h.b = &h.settle("b", 2, b);
            }};
  told(cell);
  return cell;
}

Cell column_pair(std::size_t row, std::size_t column) {
  const auto first = static_cast<Place>(row);
  const auto second = static_cast<Place>(column);
  const bool udp = first != Place::no_udp && second != Place::no_udp;
  Cell cell = two(std::string{pw::name(first)}, std::string{pw::name(second)}, best_of(net::kMatrix[row][column], udp),
                  {first}, {second});
  cell.by_itself = udp && (first == Place::open || second == Place::open);
  return cell;
}

void near(net::Segment& segment) { segment.default_link.delay = kNear; }

Cell same_lan() {
  return {.first = "same LAN", .second = "APDM rnd", .best = Best::punch, .by_itself = true, .settle = [](TwoHomes& h) {
            h.a = &h.settle("a", 1, {Place::random});
            near(h.a->machine().interfaces().front()->segment);
            h.b = &h.settle_beside("b", *h.a, IpAddress::v4({192, 168, 1, 7}));
          }};
}

Cell same_carrier(net::Hairpin hairpin) {
  const bool hairpins = hairpin != net::Hairpin::none;
  return {.first = "same carrier",
          .second = hairpins ? "hairpin" : "no hairpin",
          .best = hairpins ? Best::punch : Best::relay,
          .method = hairpins ? TraversalMethod::punch : TraversalMethod::none,
          .failure = hairpins ? TraversalFailure::none : TraversalFailure::timeout,
          .settle = [hairpin](TwoHomes& h) {
            h.a = &h.settle("a", 1, {.place = Place::carrier, .hairpin = hairpin});
            net::Segment& carrier = h.w.plugs(*h.a)[1]->segment;
            near(carrier);
            h.b = &h.settle_at(carrier, "b", 2);
          }};
}

/// Both behind the hardest of NATs, and routed to one another by IPv6.
Cell dual_stack() {
  const Home home{.place = Place::random, .ipv6 = true};
  Cell cell = two("dual stack", "dual stack", Best::punch, home, home);
  cell.by_itself = true;
  return cell;
}

/// Its NAT is of the hardest kind, but maps ports by that protocol.
Home mapping(event::MappingProtocol protocol) {
  Home home{.place = Place::random};
  home.mapper.pcp = protocol == event::MappingProtocol::pcp;
  home.mapper.nat_pmp = protocol == event::MappingProtocol::nat_pmp;
  home.mapper.upnp = protocol == event::MappingProtocol::upnp;
  return home;
}

Cell mapped(const std::string& first, const std::string& second, event::MappingProtocol protocol, const Home& other) {
  Cell cell = two(first, second, Best::punch, mapping(protocol), other);
  cell.by_itself = true;
  cell.mapped = protocol;
  return cell;
}

}  // namespace

std::vector<Cell> all_cells() {
  std::vector<Cell> all;
  for (std::size_t row = 0; row < net::kPlaces; ++row)
    for (std::size_t column = 0; column < net::kPlaces; ++column) all.push_back(column_pair(row, column));
  all.push_back(same_lan());
  all.push_back(same_carrier(net::Hairpin::external_source));
  all.push_back(same_carrier(net::Hairpin::none));
  const Home accepting{.place = Place::apdf, .input_accepts = true};
  all.push_back(two("INPUT accepts", "INPUT accepts", Best::punch, accepting, accepting));
  all.push_back(two("INPUT accepts", "EIM/APDF", Best::punch, accepting, {Place::apdf}));
  all.push_back(two("EIM/APDF", "INPUT accepts", Best::punch, {Place::apdf}, accepting));
  all.push_back(two("INPUT accepts", "carrier's NAT", Best::punch, accepting, {Place::carrier}));
  all.push_back(dual_stack());
  using enum event::MappingProtocol;
  all.push_back(mapped("PCP", "APDM rnd", pcp, {Place::random}));
  all.push_back(mapped("NAT-PMP", "APDM rnd", nat_pmp, {Place::random}));
  all.push_back(mapped("UPnP", "APDM rnd", upnp, {Place::random}));
  all.push_back(mapped("PCP", "PCP", pcp, mapping(pcp)));
  return all;
}

}  // namespace pw::sim::matrix
