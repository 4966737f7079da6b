// Network: the network of a scenario file inside a Net: its segments, its routers, and plugs for its hosts, made by
// whoever knows what a host is: machines of the simulator, or cables to real ones.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/net/net.hpp"
#include "sim/scenario/scenario.hpp"

namespace pw::sim::scenario {

/// Which parts exist in a Net. A router that is not among `routers` but plugged into one of `segments` is a device of
/// the caller's there, as a host is.
struct Plan {
  std::set<std::string> segments;
  std::set<std::string> routers;

  /// All of it.
  static Plan whole(const Scenario& scenario);
  /// Where only some hosts and routers can be plugged in, each as {device, segment}: the segments all of whose devices
  /// are among them or are simulated routers, and the routers all of whose segments are carried. Fails, and says what
  /// is missing, when one of the plugs would lead nowhere.
  static Result<Plan> around(const Scenario& scenario, const std::set<std::pair<std::string, std::string>>& plugs);
};

class Network {
 public:
  /// Plugs a device that is no simulated router into a segment, with the addresses and the access link given.
  using Attach = std::function<net::Interface&(const std::string& device, const Attachment& at, net::Segment& segment)>;

  Network(net::Net& net, const Scenario& scenario, const Plan& plan, const Attach& attach);

  net::Segment* segment(const std::string& name) const;
  net::Router* router(const std::string& name) const;
  /// A device's plugs, in the order of the file; a router's outer one first.
  std::vector<net::Interface*> plugs(const std::string& device) const;

  // ---- what befalls it; errors are sentences about names
  /// The conditions from one device to another on the first segment that they share.
  Status link(const std::string& from, const std::string& to, const net::Link& link, bool both);
  Status reboot(const std::string& router, Duration d);
  /// Of a simulated router: its outer addresses.
  Status change_addresses(const std::string& router, std::vector<IpAddress> addresses);

 private:
  void add_router(net::Net& net, const Router& part);
  void plug_router(const Router& part, const Plan& plan, const Attach& attach);
  void plug(const std::string& device, net::Interface& interface) { plugs_.emplace_back(device, &interface); }

  std::map<std::string, net::Segment*> segments_;
  std::map<std::string, net::Router*> routers_;
  std::vector<std::pair<std::string, net::Interface*>> plugs_;
};

}  // namespace pw::sim::scenario
