// Upnp: maps ports by UPnP IGD (WANIPConnection:1 and :2) with miniupnpc, which blocks: on a thread of its own, one request
// after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/address.hpp"
#include "base/time.hpp"

namespace pw::io {

/// A UDP port of this node's that strangers shall reach. IPv4 only.
struct UpnpWish {
  IpAddress gateway;  // only a device at this address is asked, whoever else answers
  SocketAddress own;  // where the gateway sends what comes
  std::uint16_t outer_port = 0;
  Duration lifetime{};
};

struct UpnpAnswer {
  static constexpr int kNoGateway = -1;  // nothing there speaks UPnP IGD
  static constexpr int kFailed = -2;     // it does, but not well; or it took too long
  /// 0: done. Above: the gateway's own code (WANIPConnection:2 section 2.5). Else one of those above.
  int code = 0;
  SocketAddress external{};
  Duration lifetime{};  // 0: for good, since the gateway knows nothing else
};

class Upnp {
 public:
  /// Of one request. Looking for the gateway takes 1 s where it answers and 2 s where nobody does, each of the four calls
  /// some milliseconds; but whoever answers byte by byte could keep the library for ever.
  static constexpr Duration kTimeLimit = 30s;
  /// How long the destructor waits for mappings to be deleted.
  static constexpr Duration kGoodbye = 1s;
  /// Waiting: one port is mapped at a time.
  static constexpr std::size_t kWaiting = 8;

  /// Called exactly once per map(), on any thread (also inside map()), and never after the destructor has begun. It must not call
  /// back.
  using Deliver = std::function<void(std::uint64_t id, const UpnpAnswer& answer)>;
  /// What blocks: miniupnpc, or a test's own. `seen` belongs to it, and is empty at first.
  struct Work {
    std::function<UpnpAnswer(const UpnpWish& wish, std::string& seen)> map;
    std::function<void(const UpnpWish& wish, std::string& seen)> unmap;
  };

  explicit Upnp(Deliver deliver);
  Upnp(Deliver deliver, Work work, Duration time_limit);
  /// Does not wait for a map() that is under way.
  ~Upnp();
  Upnp(const Upnp&) = delete;
  Upnp& operator=(const Upnp&) = delete;

  void map(std::uint64_t id, const UpnpWish& wish);
  /// Deletes the mapping of `wish.outer_port`. Nobody is told how that ended.
  void unmap(const UpnpWish& wish);

 private:
  struct State;
  void add(std::uint64_t id, const UpnpWish& wish, bool unmap);
  std::shared_ptr<State> state_;
};

/// These block. `description` is the address of the gateway's description, kept from one call to the next to save the
/// search.
UpnpAnswer upnp_map(const UpnpWish& wish, std::string& description);
void upnp_unmap(const UpnpWish& wish, std::string& description);

}  // namespace pw::io
