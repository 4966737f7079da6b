// What the wire process saw, as one line of JSON: frames of each port and why some became nothing, and what was lost in
// the simulated internet, where and why.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "functional/wire/port.hpp"

namespace pw::lab {

class Losses : public net::Observer {
 public:
  using Counts = std::array<std::uint64_t, enum_count<net::Drop>()>;

  void dropped(Instant, const net::Packet&, net::Drop why, std::string_view where) override {
    auto at = counts_.find(where);
    if (at == counts_.end()) at = counts_.emplace(where, Counts{}).first;
    ++at->second[static_cast<std::size_t>(why)];
  }
  const std::map<std::string, Counts, std::less<>>& counts() const { return counts_; }

 private:
  std::map<std::string, Counts, std::less<>> counts_;  // by segment, interface or router
};

/// {"ports": {"a:lan": {…}}, "dropped": {"internet": {"lost": 3}}, "under_way": 0}. What is zero is left out of
/// "unusable" and "dropped". Latenesses: how long after a packet was due its frame was handed to the kernel.
std::string report(const net::Net& net, const std::vector<std::unique_ptr<Port>>& ports, const Losses& losses);

}  // namespace pw::lab
