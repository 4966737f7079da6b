#include "functional/wire/report.hpp"

#include <nlohmann/json.hpp>

namespace pw::lab {
namespace {

using Json = nlohmann::ordered_json;

template <class E, std::size_t n>
Json nonzero(const std::array<std::uint64_t, n>& counts) {
  Json out = Json::object();
  for (std::size_t i = 0; i < n; ++i)
    if (counts[i] != 0) out[std::string{name(static_cast<E>(i))}] = counts[i];
  return out;
}

Json port_report(Port& port) {
  const Port::Counts counts = port.counts();
  const Cable::Counts& cable = counts.cable;
  Json out;
  out["received"] = counts.received;
  out["packets"] = counts.packets;
  out["neighbour"] = counts.neighbour;
  out["unusable"] = nonzero<Unusable>(counts.unusable);
  out["ring_dropped"] = cable.ring_dropped;
  out["overfull"] = counts.overfull;
  out["formless"] = counts.formless;
  out["sent"] = cable.sent;
  out["not_sent"] = cable.not_sent;
  out["late"] = cable.late;
  out["latest_ms"] = to_milliseconds(cable.latest);
  const auto frames = cable.sent + cable.not_sent;
  out["mean_lateness_ms"] = frames == 0 ? 0 : to_milliseconds(cable.lateness) / static_cast<double>(frames);
  return out;
}

}  // namespace

std::string report(const net::Net& net, const std::vector<std::unique_ptr<Port>>& ports, const Losses& losses) {
  Json out;
  out["ports"] = Json::object();
  for (const auto& port : ports) out["ports"][port->name()] = port_report(*port);
  out["dropped"] = Json::object();
  for (const auto& [where, counts] : losses.counts()) out["dropped"][where] = nonzero<net::Drop>(counts);
  out["under_way"] = net.packets_under_way();
  return out.dump();
}

}  // namespace pw::lab
