#include "sim/world.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace pw::sim {
namespace {

constexpr Duration kLookupTime = 5ms;

quic::Identity make_identity(std::size_t index) {
  quic::Identity::Seed seed{};
  seed[0] = static_cast<std::uint8_t>(index);
  seed[1] = static_cast<std::uint8_t>(index >> 8);
  seed[31] = 1;
  auto identity = quic::Identity::from_seed(seed);
  PW_CHECK(identity);
  return std::move(*identity);
}

}  // namespace

// ---- Host

Host::Host(World& world, std::size_t index, std::size_t key, std::string name, Rng rng)
    : world_{world},
      index_{index},
      key_{key},
      name_{std::move(name)},
      identity_{make_identity(key)},
      address_{IpAddress::v4({10, 0, static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index + 1)}),
               9470},
      rng_{std::move(rng)} {
  options.quic.static_secret[0] = static_cast<std::uint8_t>(index + 1);
  options.peer.software = "0.1.0";
}

void Host::start() {
  ++generation_;
  first_ticket_ = next_ticket_;
  node_ = std::make_unique<mesh::Node>(world_.now_, options, identity_, rng_.split());
  node_->configure(world_.now_, membership);
  drain();
}

void Host::configure() {
  node_->configure(world_.now_, membership);
  drain();
}

void Host::shutdown() {
  node_->shutdown(world_.now_);
  drain();
}

event::Ticket Host::command(event::Command command) {
  const event::Ticket ticket{next_ticket_++};
  node_->handle_command(world_.now_, ticket, command);
  drain();
  return ticket;
}

void Host::drain() {
  while (auto transmit = node_->poll_transmit()) world_.send(index_, *transmit);
  while (auto record = node_->poll_event()) {
    if (const auto* changed = std::get_if<event::StateChanged>(&record->event)) states_[changed->peer] = changed->to;
    events.push_back(std::move(*record));
  }
  while (auto reply = node_->poll_reply())
    answered_twice |= !answers.insert_or_assign(reply->ticket, reply->answer).second;
  while (auto request = node_->poll_request()) {
    const auto& resolve = std::get<mesh::Resolve>(*request);
    world_.lookups_.push_back({world_.now_ + kLookupTime, index_, generation_, resolve.id, resolve.host});
  }
  world_.timers_.set(index_, node_->poll_timeout());
}

bool Host::frozen() const { return world_.thaw(index_) > world_.now_; }

std::size_t Host::unanswered() const {
  std::size_t n = 0;
  for (std::uint64_t t = first_ticket_; t < next_ticket_; ++t) n += !answers.contains(event::Ticket{t});
  return n;
}

event::PeerSnapshot Host::peer(const Host& other) const {
  for (const auto& p : node_->snapshot(world_.now_).peers)
    if (p.id == other.id()) return p;
  return {};
}

event::SessionState Host::state(const Host& other) const {
  const auto found = states_.find(other.id());
  return found == states_.end() ? event::SessionState::disconnected : found->second;
}

// ---- World

World::World(std::uint64_t seed) : rng_{seed} {}

Host& World::add(std::string name) { return add(std::move(name), hosts_.size()); }

Host& World::add_twin(const Host& of) { return add(of.name() + "'s twin", of.key_); }

Host& World::add(std::string name, std::size_t key) {
  hosts_.push_back(std::make_unique<Host>(*this, hosts_.size(), key, std::move(name), rng_.split()));
  by_address_[hosts_.back()->address()] = hosts_.size() - 1;
  return *hosts_.back();
}

void World::introduce_all() {
  for (auto& a : hosts_)
    for (auto& b : hosts_)
      if (a != b) a->membership.peers.push_back(b->spec());
}

void World::start_all() {
  for (auto& h : hosts_) h->start();
}

Link& World::link(const Host& from, const Host& to) {
  return links_.try_emplace({from.index_, to.index_}, default_link).first->second;
}

void World::both_ways(const Host& a, const Host& b, const Link& l) {
  link(a, b) = l;
  link(b, a) = l;
}

void World::send(std::size_t from, const mesh::Transmit& t) {
  const std::size_t segment = t.segment_size == 0 ? t.bytes.size() : t.segment_size;
  for (std::size_t at = 0; at < t.bytes.size(); at += segment)
    send_one(from, t.path.remote, ByteView{t.bytes}.subspan(at, std::min(segment, t.bytes.size() - at)));
}

void World::send_one(std::size_t from, const SocketAddress& to, ByteView bytes) {
  ++packets_sent_;
  const auto target = by_address_.find(to);
  if (target == by_address_.end()) return;
  const Link& l = link(*hosts_[from], *hosts_[target->second]);
  if (!l.up || rng_.chance(l.loss)) {
    ++packets_lost_;
    return;
  }
  if (max_overheard > 0) {
    if (overheard.size() == max_overheard) overheard.pop_front();
    overheard.push_back({hosts_[from]->address(), target->second, Buffer(bytes.begin(), bytes.end())});
  }
  const Duration extra = l.jitter > Duration{} ? rng_.up_to(l.jitter) : Duration{};
  const Instant at = now_ + l.delay + extra;
  deliveries_.push({at, at, order_++, target->second, hosts_[from]->address(), Buffer(bytes.begin(), bytes.end())});
}

void World::inject(const SocketAddress& from, const Host& to, Buffer bytes) {
  deliveries_.push({now_, now_, order_++, to.index_, from, std::move(bytes)});
}

bool World::step(Instant limit) {
  const auto lookup = std::ranges::min_element(lookups_, {}, &Lookup::at);
  Instant next = timers_.earliest();
  if (!deliveries_.empty()) next = earlier(next, deliveries_.top().at);
  if (lookup != lookups_.end()) next = earlier(next, lookup->at);
  if (next > limit) return false;
  now_ = std::max(now_, next);
  if (lookup != lookups_.end() && lookup->at <= now_) {
    const Lookup done = *lookup;
    lookups_.erase(lookup);
    Host& h = *hosts_[done.host];
    if (!h.node_ || h.generation_ != done.generation) return true;
    const auto found = names.find(done.name);
    Result<std::vector<IpAddress>> answer = fail("no such host");
    if (found != names.end()) answer = std::vector{found->second};
    h.node_->handle_resolved(now_, done.id, answer);
    h.drain();
  } else if (!deliveries_.empty() && deliveries_.top().at <= now_) {
    const Delivery d = deliveries_.top();
    deliveries_.pop();
    deliver(d);
  } else {
    fire(*timers_.due(now_));
  }
  return true;
}

Instant World::thaw(std::size_t index) const {
  const auto frozen = frozen_until_.find(index);
  return frozen != frozen_until_.end() && frozen->second > now_ ? frozen->second : now_;
}

void World::deliver(Delivery d) {
  Host& h = *hosts_[d.to];
  if (!h.node_) return;
  if (const Instant later = thaw(d.to); later > now_) {
    d.at = later;
    deliveries_.push(std::move(d));
    return;
  }
  h.node_->handle_datagram(now_, d.received_at, PathAddress{h.address_.ip, d.from}, d.bytes);
  h.drain();
}

void World::fire(std::size_t index) {
  Host& h = *hosts_[index];
  if (!h.node_) return timers_.clear(index);
  if (const Instant later = thaw(index); later > now_) return timers_.set(index, later);
  ++timers_fired_;
  h.node_->handle_timeout(now_);
  h.drain();
}

void World::run_for(Duration d) {
  const Instant end = now_ + d;
  while (step(end)) {
  }
  now_ = end;
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const Instant end = now_ + limit;
  while (!condition())
    if (!step(end)) {
      now_ = end;
      return condition();
    }
  return true;
}

}  // namespace pw::sim
