#include "sim/net/streams.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace pw::net {

Streams::Streams(Machine& machine, StreamUser& user, Rng rng, StreamOptions options)
    : machine_{machine}, user_{user}, rng_{std::move(rng)}, options_{options} {
  machine_.rearm(*this);
}

Streams::~Streams() { machine_.kill(*this); }

// ---- ports

bool Streams::listen(std::uint16_t port) {
  if (!ports_.contains(port) && !machine_.open(*this, port, Protocol::tcp)) return false;
  return !std::exchange(ports_[port].listening, true);
}

void Streams::stop_listening(std::uint16_t port) {
  const auto found = ports_.find(port);
  if (found == ports_.end()) return;
  found->second.listening = false;
  release(port);
}

void Streams::release(std::uint16_t port) {
  const Port& p = ports_.at(port);
  if (p.listening || p.streams > 0) return;
  ports_.erase(port);
  machine_.close(port, Protocol::tcp);
}

// ---- what its user does

Result<StreamId> Streams::connect(const SocketAddress& remote) {
  if (held_.size() >= options_.max_streams) return fail("too many streams");
  const auto local = machine_.source_for(remote.ip);
  if (!local) return fail("no way to " + remote.to_string());
  const auto port = machine_.open(*this, 0, Protocol::tcp);
  if (!port) return fail("no free port");
  ports_[*port];
  const StreamId id =
      hold({*port, {*local, remote}}, Stream::connect(options_, static_cast<std::uint32_t>(rng_.next())));
  settle_outside(id);
  return id;
}

std::size_t Streams::write(StreamId id, ByteView bytes) {
  const auto found = held_.find(id);
  if (found == held_.end()) return 0;
  const std::size_t n = found->second.stream.write(bytes);
  settle_outside(id);
  return n;
}

Buffer Streams::read(StreamId id, std::size_t most) {
  const auto found = held_.find(id);
  if (found == held_.end()) return {};
  Buffer out = found->second.stream.read(most);
  settle_outside(id);
  return out;
}

void Streams::close(StreamId id) {
  const auto found = held_.find(id);
  if (found == held_.end()) return;
  found->second.stream.finish();
  settle_outside(id);
}

void Streams::abort(StreamId id) {
  const auto found = held_.find(id);
  if (found == held_.end()) return;
  found->second.stream.abort();
  std::erase_if(told_, [id](const Told& t) { return t.id == id; });
  settle_outside(id);
}

void Streams::abort_all() {
  std::vector<StreamId> all;
  for (const auto& [id, held] : held_) all.push_back(id);
  for (const StreamId id : all) abort(id);
}

const Stream* Streams::find(StreamId id) const {
  const auto found = held_.find(id);
  return found == held_.end() ? nullptr : &found->second.stream;
}
SocketAddress Streams::remote(StreamId id) const { return held_.at(id).key.path.remote; }
std::uint16_t Streams::port(StreamId id) const { return held_.at(id).key.port; }

// ---- what comes and is due

void Streams::handle_arrival(Instant now, const Arrival& arrival) {
  const auto segment = TcpSegment::decode(arrival.bytes);
  if (!segment) {
    ++damaged_;
    return;
  }
  const Key key{arrival.port, arrival.path};
  auto found = by_key_.find(key);
  const bool begins = segment->syn && !segment->has_ack;
  if (found != by_key_.end() && held_.at(found->second).stream.tag() != segment->tag && begins) {
    // The other side has forgotten the old one, and begins anew from the same port.
    TcpSegment reset;
    reset.tag = held_.at(found->second).stream.tag();
    reset.rst = true;
    held_.at(found->second).stream.handle_segment(now, reset);
    const StreamId old = found->second;
    by_key_.erase(found);
    settle(old);
    if (const auto held = held_.find(old); held != held_.end() && !held->second.stream.gone()) forget(old);  // it lingered
    found = by_key_.end();
  }
  StreamId id = 0;
  if (found != by_key_.end() && held_.at(found->second).stream.tag() == segment->tag) {
    id = found->second;
    held_.at(id).stream.handle_segment(now, *segment);
  } else if (found == by_key_.end() && begins && ports_.contains(key.port) && ports_.at(key.port).listening &&
             held_.size() < options_.max_streams) {
    id = hold(key, Stream::accept(options_, *segment));
  } else {
    if (const auto reset = refusal(arrival.bytes)) send(key, *reset);
    return tell(now);
  }
  settle(id);
  tell(now);
}

void Streams::handle_timeout(Instant now) {
  while (const StreamId* due = deadlines_.due(now)) {
    const StreamId id = *due;
    held_.at(id).stream.handle_timeout(now);
    settle(id);
  }
  tell(now);
}

Instant Streams::poll_timeout() const { return told_.empty() ? deadlines_.earliest() : machine_.now(); }

// ---- inside

StreamId Streams::hold(const Key& key, Stream stream) {
  const StreamId id = next_id_++;
  held_.emplace(id, Held{key, std::move(stream)});
  by_key_[key] = id;
  ++ports_.at(key.port).streams;
  return id;
}

void Streams::send(const Key& key, ByteView segment) {
  machine_.send(key.port, key.path, segment, kDefaultTtl, Protocol::tcp);
}

void Streams::settle(StreamId id) {
  Held& held = held_.at(id);
  while (const auto segment = held.stream.poll_transmit(machine_.now())) send(held.key, *segment);
  while (const auto event = held.stream.poll_event()) told_.push_back({id, *event});
  deadlines_.set(id, held.stream.poll_timeout());
  // Told ones are kept until their user has heard the last: it may still read.
  if (held.stream.gone() && (told_.empty() || std::ranges::none_of(told_, [id](const Told& t) { return t.id == id; })))
    forget(id);
}

void Streams::settle_outside(StreamId id) {
  settle(id);
  machine_.rearm(*this);
}

void Streams::forget(StreamId id) {
  const auto found = held_.find(id);
  const Key key = found->second.key;
  deadlines_.clear(id);
  if (const auto by = by_key_.find(key); by != by_key_.end() && by->second == id) by_key_.erase(by);
  held_.erase(found);
  --ports_.at(key.port).streams;
  release(key.port);
}

void Streams::tell(Instant now) {
  while (!told_.empty()) {
    const Told next = told_.front();
    told_.pop_front();
    user_.handle_stream(now, next.id, next.event);
    if (next.event < StreamEvent::closed) continue;
    // Its user knows that it is over; one that lingers is the stack's alone.
    if (const auto held = held_.find(next.id); held != held_.end() && held->second.stream.gone()) forget(next.id);
  }
}

}  // namespace pw::net
