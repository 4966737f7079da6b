#include "sim/pipes.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "wire/demux.hpp"

namespace pw::sim {
namespace {

/// Of messages before the pipe is open: a ClientHello, a server's flight with its certificate, what ends TLS and asks for the
/// upgrade, and its answer.
constexpr std::size_t kClientHello = 500;
constexpr std::size_t kServerFlight = 1500;
constexpr std::size_t kUpgrade = 400;
constexpr std::size_t kUpgraded = 200;

constexpr std::size_t kLength = 2;

}  // namespace

Pipes::Pipes(net::Machine& machine, PipeOwner& owner, Rng rng)
    : owner_{owner},
      streams_{machine, *this, std::move(rng), {.send_buffer = kSendBuffer, .connect_timeout = kOpening}} {}

void Pipes::open(Instant at, Via via, const std::optional<SocketAddress>& to) { waiting_.push_back({at, via, to}); }

void Pipes::begin(Instant now, const Waiting& opening) {
  Result<net::StreamId> id = fail("no such host");
  if (opening.to) id = streams_.connect(*opening.to);
  if (!id) return owner_.pipe_opened(now, opening.via, fail(id.error().detail));
  Pipe& pipe = pipes_[*id];
  pipe.via = opening.via;
  pipe.ours = true;
  pipe.remote = *opening.to;
  pipe.deadline = now + kOpening;
  by_via_[pipe.via] = *id;
}

void Pipes::close(Via via) {
  std::erase_if(waiting_, [via](const Waiting& w) { return w.via == via; });
  const auto known = by_via_.extract(via);
  if (!known) return;
  // What was said last still goes out: no more is waited for.
  streams_.close(known.mapped());
  pipes_.erase(known.mapped());
}

std::optional<Pipes::Brought> Pipes::brought_from(const SocketAddress& remote) const {
  const auto found = std::ranges::find_if(pipes_, [&](const auto& p) {
    return !p.second.ours && p.second.stage == Stage::open && p.second.remote == remote;
  });
  return found == pipes_.end() ? std::nullopt : std::optional{found->second.brought};
}

std::size_t Pipes::accepted() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(pipes_, [](const auto& p) { return !p.second.ours && p.second.stage == Stage::open; }));
}

bool Pipes::send(Via via, ByteView packet) {
  const net::StreamId id = by_via_.at(via);
  Pipe& pipe = pipes_.at(id);
  if (pipe.stage != Stage::open || pipe.waiting + packet.size() > kQueue) return false;
  say(id, pipe, packet);
  return true;
}

void Pipes::say(net::StreamId id, Pipe& pipe, ByteView message) {
  Buffer framed;
  ByteWriter w{framed};
  w.u16(static_cast<std::uint16_t>(message.size()));
  w.bytes(message);
  pipe.waiting += framed.size();
  pipe.out.push_back(std::move(framed));
  flush(id, pipe);
}

void Pipes::flush(net::StreamId id, Pipe& pipe) {
  while (!pipe.out.empty()) {
    Buffer& first = pipe.out.front();
    const std::size_t n = streams_.write(id, first);
    pipe.waiting -= n;
    if (n < first.size()) {
      first.erase(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(n));
      return;
    }
    pipe.out.pop_front();
  }
}

void Pipes::handle_stream(Instant now, net::StreamId id, net::StreamEvent event) {
  if (event == net::StreamEvent::accepted) {
    Pipe& pipe = pipes_[id];
    pipe.remote = streams_.remote(id);
    pipe.deadline = now + kOpening;
    return;
  }
  const auto at = pipes_.find(id);
  if (at == pipes_.end()) {
    if (event == net::StreamEvent::ended) streams_.close(id);
    return;
  }
  switch (event) {
    case net::StreamEvent::accepted:
      return;
    case net::StreamEvent::connected:
      return say(id, at->second, Buffer(kClientHello));
    case net::StreamEvent::readable:
      return read(now, id);
    case net::StreamEvent::writable:
      return flush(id, at->second);
    case net::StreamEvent::ended:
      streams_.close(id);
      return over(now, at, "closed");
    case net::StreamEvent::closed:
    case net::StreamEvent::reset:
    case net::StreamEvent::refused:
    case net::StreamEvent::timed_out:
      return over(now, at, std::string{name(event)});
  }
}

void Pipes::read(Instant now, net::StreamId id) {
  Buffer bytes = streams_.read(id);
  Buffer& in = pipes_.at(id).in;
  in.insert(in.end(), bytes.begin(), bytes.end());
  std::size_t done = 0;
  while (pipes_.contains(id)) {
    Pipe& pipe = pipes_.at(id);
    if (pipe.in.size() - done < kLength) break;
    const std::size_t size = std::size_t{pipe.in[done]} << 8 | pipe.in[done + 1];
    if (pipe.in.size() - done - kLength < size) break;
    const auto from = pipe.in.begin() + static_cast<std::ptrdiff_t>(done + kLength);
    done += kLength + size;
    take(now, id, pipe, Buffer(from, from + static_cast<std::ptrdiff_t>(size)));
  }
  if (const auto at = pipes_.find(id); at != pipes_.end())
    at->second.in.erase(at->second.in.begin(), at->second.in.begin() + static_cast<std::ptrdiff_t>(done));
}

void Pipes::take(Instant now, net::StreamId id, Pipe& pipe, const Buffer& message) {
  switch (pipe.stage) {
    case Stage::tls:
      pipe.stage = Stage::upgrade;
      return say(id, pipe, Buffer(pipe.ours ? kUpgrade : kServerFlight));
    case Stage::upgrade:
      if (!pipe.ours) {
        pipe.via = owner_.pipe_accepted(now, pipe.remote);
        pipe.brought.since = now;
        by_via_[pipe.via] = id;
        say(id, pipe, Buffer(kUpgraded));
      }
      return opened(now, pipe);
    case Stage::open:
      pipe.brought.connected |= !wire::has_long_header(message);
      return owner_.pipe_read(now, {IpAddress::any(pipe.remote.ip.family()), pipe.remote, pipe.via}, message);
  }
}

void Pipes::opened(Instant now, Pipe& pipe) {
  pipe.stage = Stage::open;
  pipe.deadline = kNever;
  if (pipe.ours) owner_.pipe_opened(now, pipe.via, pipe.remote);
}

void Pipes::over(Instant now, At at, std::string why) {
  const Pipe pipe = std::move(at->second);
  pipes_.erase(at);
  by_via_.erase(pipe.via);
  if (pipe.stage == Stage::open)
    owner_.pipe_closed(now, pipe.via);
  else if (pipe.ours)
    owner_.pipe_opened(now, pipe.via, fail(std::move(why)));
}

void Pipes::handle_timeout(Instant now) {
  while (!waiting_.empty() && waiting_.front().at <= now) {
    const Waiting opening = waiting_.front();
    waiting_.pop_front();
    begin(now, opening);
  }
  for (;;) {
    const auto due = std::ranges::find_if(pipes_, [now](const auto& p) { return p.second.deadline <= now; });
    if (due == pipes_.end()) return;
    streams_.abort(due->first);
    over(now, due, "timed out");
  }
}

Instant Pipes::poll_timeout() const {
  Instant next = waiting_.empty() ? kNever : waiting_.front().at;
  for (const auto& [id, pipe] : pipes_) next = earlier(next, pipe.deadline);
  return next;
}

}  // namespace pw::sim
