// Registry: the records that peers left with this bootstrap, each by its own key, until they expire. Bounded: when it is
// full, who is not in it is turned away; who is may always renew.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/deadlines.hpp"
#include "base/digest.hpp"
#include "wire/service.hpp"

namespace pw::service {

struct Registration {
  Buffer record;
  std::uint64_t sequence = 0;
  std::vector<Digest> tags;
  std::optional<SocketAddress> observed;  // by UDP
  Instant at{};
  Instant expires{};
};

bool share_a_tag(const std::vector<Digest>& a, const std::vector<Digest>& b);

class Registry {
 public:
  Registry(std::size_t max_entries, Duration max_lifetime) : max_entries_{max_entries}, max_lifetime_{max_lifetime} {}

  struct Outcome {
    std::optional<wire::service::Refusal> refused;
    Duration lifetime{};
    bool fresh = false;  // was not in it
  };
  /// `peer`: whose connection it came by. Verifies the signature.
  Outcome add(Instant now, const PeerId& peer, ByteView record, std::vector<Digest> tags,
              const std::optional<SocketAddress>& observed);
  void observe(const PeerId& peer, const SocketAddress& address);
  const Registration* find(const PeerId& peer) const;
  /// Of a mesh, those after `after`, at most `limit`; `more`: there are further ones.
  std::vector<PeerId> of_mesh(const std::vector<Digest>& tags, const std::optional<PeerId>& after, std::size_t limit,
                              bool& more) const;
  std::size_t size() const { return entries_.size(); }

  Instant poll_timeout() const { return deadlines_.earliest(); }
  /// Somebody who has expired, now gone; call until none.
  std::optional<std::pair<PeerId, std::vector<Digest>>> expire(Instant now);

 private:
  std::size_t max_entries_;
  Duration max_lifetime_;
  std::map<PeerId, Registration> entries_;
  Deadlines<PeerId> deadlines_;
};

}  // namespace pw::service
