#include "peer/dial.hpp"

#include <algorithm>

namespace pw::peer {

Dial::Dial(Context& context, Instant now, const event::PeerSpec& spec)
    : context_{context}, peer_{spec.id}, started_{now} {
  for (const HostPort& address : spec.addresses) {
    if (auto ip = IpAddress::parse(address.host)) {
      add(*ip, address.port);
    } else if (lookups_.size() < kMaxNames) {
      lookups_.push_back({context_.next_resolve++, address.host, address.port});
      context_.lookups.emplace(lookups_.back().id, peer_);
      context_.out.requests.push_back(event::Resolve{lookups_.back().id, address.host});
    }
  }
  if (lookups_.empty()) proceed(now);
}

void Dial::add(const IpAddress& ip, std::uint16_t port) {
  const PathAddress path{IpAddress::any(ip.family()), SocketAddress{ip, port}};
  if (std::ranges::find(candidates_, path) == candidates_.end()) candidates_.push_back(path);
}

bool Dial::awaits(std::uint64_t resolve_id) const {
  return std::ranges::find(lookups_, resolve_id, &Lookup::id) != lookups_.end();
}

void Dial::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  const auto lookup = std::ranges::find(lookups_, id, &Lookup::id);
  if (lookup == lookups_.end() || step_ != Step::resolving) return;
  if (addresses) {
    for (const IpAddress& ip : *addresses) add(ip, lookup->port);
  } else {
    if (!detail_.empty()) detail_ += "; ";
    detail_ += lookup->host + ": " + addresses.error().detail;
    context_.out.emit(
        now, event::DiscoveryFailed{peer_, event::DiscoveryMethod::configured, lookup->host, addresses.error().detail});
  }
  lookups_.erase(lookup);
  if (lookups_.empty()) proceed(now);
}

bool Dial::go_on_without(Instant now, const SocketAddress& stranger) {
  if (std::erase_if(candidates_, [&](const PathAddress& c) { return c.remote == stranger; }) == 0) return false;
  if (candidates_.empty() || handshakes_ == kMaxHandshakes) return false;
  proceed(now);
  return step_ == Step::handshaking;
}

void Dial::proceed(Instant now) {
  step_ = Step::failed;
  if (candidates_.empty()) {
    error_ = event::ErrorType::dns;
    if (detail_.empty()) detail_ = "no name of the peer has an address";
    return;
  }
  auto handle = context_.endpoint.dial(now, candidates_, peer_);
  if (!handle) {
    error_ = event::ErrorType::resource_exhausted;
    detail_ = handle.error().detail;
    return;
  }
  handle_ = *handle;
  ++handshakes_;
  context_.owners.emplace(*handle, peer_);
  step_ = Step::handshaking;
}

}  // namespace pw::peer
