#include "mesh/surroundings.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pw::mesh {
namespace {

// An event is a line for people: what a machine with more has lost at once is told by their number.
constexpr std::size_t kAddressesTold = 8;

/// Those in `a` that are not in `b`, without excluded ones.
std::string told(const event::Interfaces& a, const event::Interfaces& b) {
  event::Interfaces only;
  std::ranges::set_difference(a, b, std::back_inserter(only));
  std::erase_if(only, [](const event::InterfaceAddress& i) { return i.excluded; });
  std::string out;
  for (std::size_t i = 0; i < std::min(only.size(), kAddressesTold); ++i)
    out += (i == 0 ? "" : ", ") + only[i].ip.to_string() + " (" + only[i].interface + ")";
  if (only.size() > kAddressesTold) out += " and " + std::to_string(only.size() - kAddressesTold) + " more";
  return out;
}

}  // namespace

bool Surroundings::handle_interfaces(Instant now, event::Interfaces interfaces) {
  std::ranges::sort(interfaces);
  if (interfaces_ == interfaces) return false;
  const auto before = std::exchange(interfaces_, std::move(interfaces));
  addresses_.clear();
  for (const event::InterfaceAddress& i : *interfaces_) addresses_.push_back(i.ip);
  if (!before) return false;
  event::NetworkChanged changed{told(*interfaces_, *before), told(*before, *interfaces_)};
  if (!changed.added.empty() || !changed.removed.empty()) out_.emit(now, std::move(changed));
  return true;
}

}  // namespace pw::mesh
