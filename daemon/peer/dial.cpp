#include "peer/dial.hpp"

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
  if (context_.rendezvous) {
    seeking_ = true;
    context_.out.channel_wishes.emplace_back(SeekChannel{peer_});
  }
  if (lookups_.empty()) proceed(now);
}

void Dial::add(const IpAddress& ip, std::uint16_t port) {
  const PathAddress path{IpAddress::any(ip.family()), SocketAddress{ip, port}};
  if (std::ranges::find(candidates_, path) == candidates_.end()) candidates_.push_back(path);
}

void Dial::explain(const std::string& why) {
  if (!detail_.empty()) detail_ += "; ";
  detail_ += why;
}

bool Dial::awaits(std::uint64_t resolve_id) const {
  return std::ranges::find(lookups_, resolve_id, &Lookup::id) != lookups_.end();
}

void Dial::handle_resolved(Instant now, std::uint64_t id, const Result<std::vector<IpAddress>>& addresses) {
  const auto lookup = std::ranges::find(lookups_, id, &Lookup::id);
  if (lookup == lookups_.end()) return;
  if (addresses) {
    for (const IpAddress& ip : *addresses) add(ip, lookup->port);
  } else {
    explain(lookup->host + ": " + addresses.error().detail);
    context_.out.emit(
        now, event::DiscoveryFailed{peer_, event::DiscoveryMethod::configured, lookup->host, addresses.error().detail});
  }
  lookups_.erase(lookup);
  if (lookups_.empty()) proceed(now);
}

bool Dial::go_on_without(Instant now, const SocketAddress& stranger) {
  if (std::erase_if(candidates_, [&](const PathAddress& c) { return c.remote == stranger; }) == 0) return false;
  if (candidates_.empty() || direct_ == kMaxHandshakes) return false;
  const std::size_t before = handshakes_.size();
  proceed(now);
  return handshakes_.size() > before;
}

void Dial::proceed(Instant now) {
  if (candidates_.empty()) {
    error_ = event::ErrorType::dns;
    if (detail_.empty() && !seeking_) detail_ = "no name of the peer has an address";
    return;
  }
  if (dial(now, candidates_)) ++direct_;
}

std::optional<quic::Handle> Dial::dial(Instant now, std::span<const PathAddress> paths) {
  auto handle = context_.endpoint.dial(now, paths, peer_);
  if (!handle) {
    error_ = event::ErrorType::resource_exhausted;
    explain(handle.error().detail);
    return std::nullopt;
  }
  handshakes_.push_back(*handle);
  context_.owners.emplace(*handle, peer_);
  return *handle;
}

// ---- through servers

void Dial::handle_channel(Instant now, Via via) {
  seeking_ = false;
  channel_ = via;
  const bool addresses = !handshakes_.empty() || !lookups_.empty();
  relay_at_ = addresses ? std::max(now, started_ + kHeadStart) : now;
  handle_timeout(now);
}

void Dial::handle_no_channel(const NoChannel& answer) {
  seeking_ = false;
  absent_ = answer.absent;
  if (direct_ == 0 && candidates_.empty() && detail_.empty()) error_ = event::ErrorType::unknown;
  explain(answer.why);
}

bool Dial::handle_channel_lost(Instant now, Via via) {
  if (channel_ != via) return false;
  channel_.reset();
  relay_at_ = kNever;
  explain("the channel to the peer was lost");
  if (relayed_) {
    context_.endpoint.close(now, *relayed_, static_cast<std::uint64_t>(CloseCode::duplicate), "cancelled");
    forget(*relayed_);
  }
  return true;
}

void Dial::handle_timeout(Instant now) {
  if (relay_at_ > now) return;
  relay_at_ = kNever;
  const PathAddress path{{}, {}, *channel_};
  relayed_ = dial(now, std::span{&path, 1});
}

void Dial::keep(Instant now, quic::Handle handle) {
  for (const quic::Handle other : handshakes_)
    if (other != handle)
      context_.endpoint.close(now, other, static_cast<std::uint64_t>(CloseCode::duplicate), "another way was quicker");
  handshakes_ = {handle};
  lookups_.clear();
  relay_at_ = kNever;
  if (relayed_ != handle) let_go(Via::own);
}

void Dial::let_go(Via kept) {
  if (std::exchange(seeking_, false)) context_.out.channel_wishes.emplace_back(AbandonSearch{peer_});
  if (channel_ && channel_ != kept) context_.out.channel_wishes.emplace_back(ReleaseChannel{*channel_});
  channel_.reset();
}

}  // namespace pw::peer
