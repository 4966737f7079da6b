#include "io/driver.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "io/callers.hpp"
#include "io/clock.hpp"
#include "io/gate.hpp"
#include "io/link.hpp"
#include "io/network_watch.hpp"
#include "io/node_pipes.hpp"
#include "io/port_mapper.hpp"
#include "io/resolver.hpp"
#include "io/troubles.hpp"

namespace pw::io {
namespace {

namespace asio = boost::asio;
using Timer = asio::steady_timer;

// Batches of one socket a turn, while they come full. Four: 256 datagrams, well under a millisecond.
constexpr int kBatchesATurn = 4;
// Flushing earlier than at the end of a turn keeps the transmit queue, and the latency of its first packet, small.
constexpr std::size_t kFlushAt = kSendBatch;
// After ENOBUFS: no event announces that the machine has buffers again.
constexpr Duration kCongestionPause = 2ms;
// Deadlines this close together share one wake-up: with a thousand peers most of a timer's cost is the waking. Probes
// take their time stamps when they leave, so nothing that is measured shifts.
constexpr Duration kTimerGranularity = 1ms;
// What is due already is handled in the same turn, so often at most: then everybody else gets a turn.
constexpr int kInlineTimeouts = 4;
// A timer this late means that the thread or the machine was busy: what arrived meanwhile is read first.
constexpr Duration kLate = 2ms;

Timer::time_point to_asio(Instant at) { return Timer::time_point{at.time_since_epoch()}; }

std::string family_name(Family family) { return family == Family::v4 ? "IPv4" : "IPv6"; }

}  // namespace

struct Driver::Impl {
  Impl(UdpSockets opened, mesh::Options options, const quic::Identity& identity, const Rng::Seed& seed,
       Telemetry& telemetry_in)
      : sockets{std::move(opened)},
        telemetry{telemetry_in},
        node{Clock::now(), std::move(options), identity, Rng{seed}},
        resolver{[this](std::uint64_t id, Resolver::Answer answer) {
          asio::post(context, [this, id, a = std::move(answer)] {
            turn([&](Instant now) { node.handle_resolved(now, id, a); });
          });
        }} {
    for (UdpSockets::Port& port : sockets.ports()) links.push_back(std::make_shared<Link>(context, port));
  }
  ~Impl() {
    for (auto& link : links) link->descriptor.release();  // the socket owns the descriptor
  }

  // ---- turns
  /// Everything on the network thread happens inside a turn.
  template <class Work>
  void turn(Work work) {
    if (ending) return;
    const Instant begin = Clock::now();
    const auto gone = jumps.observe(begin, Clock::since_boot(), Clock::thread_cpu_time);
    if (gone) node.handle_clock_jump(begin, *gone);
    work(begin);
    drain(begin);
    progress.fetch_add(1, std::memory_order_relaxed);
    telemetry.loop_lag(Clock::now() - begin);
  }

  void drain(Instant now) {
    if (std::exchange(draining, true)) return;  // somebody who was told tells something: the loop below takes it
    // Requests and failures of sending can make the node say more, so once more until it has nothing.
    int inline_timeouts = 0;
    for (bool again = true; again;) {
      again = false;
      std::size_t polled = 0;
      while (auto transmit = node.poll_transmit()) {
        push(now, std::move(*transmit));
        if (++polled % kFlushAt == 0) flush(now);
      }
      flush(now);
      while (auto request = node.poll_request()) {
        std::visit([&](const auto& asked) { serve(now, asked); }, *request);
        again = true;
      }
      while (auto reply = node.poll_reply()) answer(std::move(*reply));
      while (auto record = node.poll_event()) {
        telemetry.record(*record);
        again = true;
      }
      if (!again && node.poll_timeout() <= now && inline_timeouts++ < kInlineTimeouts) {
        node.handle_timeout(now);
        again = true;
      }
    }
    draining = false;
    if (stopping && (node.stopped() || now >= stop_by)) return context.stop();
    rearm(now);
  }

  // ---- what the node asks for
  void serve(Instant, const event::Resolve& look_up) { resolver.resolve(look_up.id, look_up.host); }

  void serve(Instant now, const event::OpenSocket& asked) {
    const auto port = sockets.open(asked.via, asked.family, asked.at);
    if (!port) return node.handle_socket(now, asked.via, fail(port.error().detail));
    links.push_back(std::make_shared<Link>(context, **port));
    await_datagrams(links.back());
    node.handle_socket(now, asked.via, (*port)->socket.address());
  }

  void serve(Instant, const event::CloseSocket& asked) {
    const auto link = std::ranges::find_if(links, [&](const auto& l) { return l->port.socket.via() == asked.via; });
    if (link == links.end() || asked.via == Via::own) return;
    (*link)->closed = true;
    (*link)->pause.cancel();
    (*link)->descriptor.release();  // cancels; the descriptor itself is closed with its socket
    links.erase(link);
    sockets.close(asked.via);
  }

  void serve(Instant, const event::OpenPipe& asked) { pipes.serve(asked); }
  void serve(Instant, const event::ClosePipe& asked) { pipes.serve(asked); }
  void serve(Instant, const event::MapPort& asked) { mapper.serve(asked); }
  void serve(Instant, const event::UnmapPort& asked) { mapper.serve(asked); }

  // ---- the node's timer
  /// Left alone when it would fire early anyway: rearming costs system calls, and most packets only postpone it.
  void rearm(Instant now) {
    const Instant next = stopping ? earlier(node.poll_timeout(), stop_by) : node.poll_timeout();
    if (next >= armed_for) return;
    const Instant due = std::max(next, now + kTimerGranularity);
    if (due >= armed_for) return;
    armed_for = due;
    timer.expires_at(to_asio(due));
    timer.async_wait([this](boost::system::error_code error) {
      if (!error) turn([this](Instant at) { on_timer(at); });
    });
  }

  void on_timer(Instant now) {
    const Instant due = node.poll_timeout();
    armed_for = kNever;
    if (due > now) return;  // it was postponed meanwhile; the drain rearms it
    telemetry.timer_error(now - due);
    if (now - due > kLate)
      for (auto& link : links) receive(*link, now, kBatchesATurn);
    node.handle_timeout(now);
  }

  void tick_later() {
    heartbeat.expires_after(kTick);
    heartbeat.async_wait([this](boost::system::error_code error) {
      if (error) return;
      turn([this](Instant now) { on_tick(now); });
      tick_later();
    });
  }

  void on_tick(Instant now) {
    jumps.mark(Clock::thread_cpu_time());
    if (const auto n = refused_commands.exchange(0); n > 0)
      node.handle_event(now, event::QueueDropped{event::Queue::commands, n});
    telemetry.tick(now);
  }

  // ---- receiving
  void await_datagrams(const std::shared_ptr<Link>& link) {
    link->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                [this, link](boost::system::error_code error) {
                                  if (error || link->closed) return;
                                  turn([&](Instant now) { receive(*link, now, kBatchesATurn); });
                                  if (!link->closed) await_datagrams(link);
                                });
  }

  void receive(Link& link, Instant now, int batches) {
    const auto take = [&](const PathAddress& from, Instant received, ByteView bytes) {
      node.handle_datagram(now, received, from, bytes);
    };
    for (; batches > 0; --batches) {
      const auto got = sockets.receive(link.port, now, take);
      if (got.dropped > 0) {
        kernel_drops += got.dropped;
        telemetry.socket_drops(kernel_drops);
      }
      if (got.error != 0) {
        const std::string family = family_name(link.port.socket.family());
        trouble(now, "receive " + family, "receiving over " + family + " failed: " + std::strerror(got.error));
      }
      if (!got.more) return;
    }
  }

  // ---- sending
  void push(Instant now, Transmit transmit) {
    const Family family = transmit.path.remote.ip.family();
    const bool own = transmit.path.via == Via::own;
    if (!own && pipes.has(transmit.path.via)) return pipes.push(now, transmit);
    if (sockets.push(std::move(transmit))) return;
    // A further socket was closed while something waited for it.
    if (!own) return node.handle_event(now, event::QueueDropped{event::Queue::transmit, 1});
    trouble(
        now, "no socket " + family_name(family),
        "packets to " + family_name(family) + " addresses can't be sent: network.listen has no socket of that family");
  }

  void flush(Instant now) {
    for (auto& link : links)
      if (!link->awaits_room) flush(link, now);
  }

  void flush(const std::shared_ptr<Link>& shared, Instant now) {
    Link& link = *shared;
    TransmitQueue& out = link.port.out;
    const auto state = out.flush();
    for (const auto& failure : out.take_failures()) {
      const std::string family = family_name(link.port.socket.family());
      trouble(now, "send " + family + ' ' + std::to_string(failure.error),
              "sending to " + failure.to.to_string() + " failed: " + std::strerror(failure.error));
    }
    if (const auto overflow = out.counts().overflow; overflow > link.overflow_told) {
      node.handle_event(now, event::QueueDropped{event::Queue::transmit, overflow - link.overflow_told});
      link.overflow_told = overflow;
    }
    if (state == TransmitQueue::State::empty) return;
    link.awaits_room = true;
    const auto room = [this, shared](boost::system::error_code error) {
      if (error || shared->closed) return;
      shared->awaits_room = false;
      turn([&](Instant at) { flush(shared, at); });
    };
    if (state == TransmitQueue::State::blocked)
      return link.descriptor.async_wait(asio::posix::stream_descriptor::wait_write, room);
    link.pause.expires_after(kCongestionPause);
    link.pause.async_wait(room);
  }

  void network_is(Instant now, Result<Network> found) {
    if (!found) return trouble(now, "interfaces", found.error().detail);
    node.handle_interfaces(now, std::move(found->interfaces));
    node.handle_gateway(now, found->gateway_v4);
    node.handle_gateway_v6(now, found->gateway_v6);
  }

  void trouble(Instant now, const std::string& kind, std::string detail) {
    if (troubles.first(kind, now)) node.handle_event(now, event::Trouble{"network", std::move(detail)});
  }

  // ---- commands
  void take(event::Command command, Callers::Done done) {
    if (ending) return done(Callers::stopped());
    const auto ticket = callers.add(std::move(done));
    turn([&](Instant now) { node.handle_command(now, ticket, command); });
  }

  void answer(event::Reply reply) {
    const auto done = callers.take(reply.ticket);
    if (!done) return;
    commands.fetch_sub(1);
    done(std::move(reply.answer));
  }

  /// Nobody who asked is left without an answer: what was posted before the gate closed still runs, and is refused.
  void end() {
    gate.close();
    ending = true;
    if (network) network->stop();
    timer.cancel();
    heartbeat.cancel();
    pipes.stop();
    for (auto& link : links) {
      link->descriptor.cancel();
      link->pause.cancel();
    }
    context.restart();
    context.poll();
    callers.stop();
  }

  void begin_stop(Instant now) {
    if (stopping) return;
    stopping = true;
    stop_by = now + kStopDeadline;
    node.shutdown(now);
  }

  asio::io_context context{1};
  UdpSockets sockets;
  std::vector<std::shared_ptr<Link>> links;
  Telemetry& telemetry;
  mesh::Node node;
  Timer timer{context};
  Timer heartbeat{context};
  Instant armed_for = kNever;
  JumpDetector jumps{kTick};
  Troubles troubles;
  std::optional<NetworkWatch> network;
  std::uint64_t kernel_drops = 0;

  Callers callers;
  bool draining = false;
  bool stopping = false;
  bool ending = false;
  Instant stop_by = kNever;

  // Shared with other threads.
  Gate gate{context};
  std::atomic<std::size_t> commands = 0;
  std::atomic<std::size_t> tasks = 0;
  std::atomic<std::uint64_t> refused_commands = 0;
  std::atomic<std::uint64_t> progress = 0;

  PortMapper mapper{context, [this](const event::PortMapped& result) {
                      turn([&](Instant now) { node.handle_port_mapped(now, result); });
                    }};
  NodePipes pipes{context, node, [this](const std::function<void(Instant)>& work) { turn(work); },
                  [this](Instant now, const std::string& detail) { trouble(now, "pipes", detail); }};
  Resolver resolver;  // last: its threads deliver into what stands above
};

Driver::Driver(UdpSockets sockets, mesh::Options options, const quic::Identity& identity, const Rng::Seed& seed,
               Telemetry& telemetry)
    : impl_{std::make_unique<Impl>(std::move(sockets), std::move(options), identity, seed, telemetry)} {}
Driver::~Driver() = default;

void Driver::run() {
  Impl& d = *impl_;
  for (auto& link : d.links)
    if (link->port.socket.via() == Via::own) d.await_datagrams(link);  // further ones are waited for since they are open
  d.jumps.mark(Clock::thread_cpu_time());
  d.tick_later();
  d.turn([](Instant) {});
  d.context.run();
  d.end();
}

void Driver::configure(const peer::Membership& membership, const mesh::NatTerms& nat) {
  const Instant now = Clock::now();
  impl_->node.configure(now, membership);
  impl_->node.configure(now, nat);
  impl_->drain(now);
}

void Driver::watch_network(const std::vector<std::string>& exclude) {
  Impl& d = *impl_;
  const Instant now = Clock::now();
  const auto tell = [&d](Result<Network> found) { d.turn([&](Instant at) { d.network_is(at, std::move(found)); }); };
  d.network.emplace(d.context, [exclude] { return read_network(exclude); }, tell);
  if (const auto watched = d.network->start(); !watched) d.network_is(now, tl::unexpected{watched.error()});
  d.network_is(now, d.network->read());
  d.drain(now);
}

Result<SocketAddress> Driver::serve_websocket(const SocketAddress& listen, PipeTls tls) {
  return impl_->pipes.listen(listen, kWebSocketPath, std::move(tls));
}

void Driver::set_websocket_tls(PipeTls tls) { impl_->pipes.set_tls(std::move(tls)); }

event::SnapshotPtr Driver::snapshot() const {
  return std::make_shared<const event::NodeSnapshot>(impl_->node.snapshot(Clock::now()));
}

const event::InstanceId& Driver::instance() const { return impl_->node.instance(); }

void Driver::tell(event::Event event) {
  const Instant now = Clock::now();
  impl_->node.handle_event(now, std::move(event));
  impl_->drain(now);
}

bool Driver::command(event::Command command, std::function<void(event::Answer)> done) {
  Impl& d = *impl_;
  if (!enter(d.commands, kMaxCommands)) {
    d.refused_commands.fetch_add(1);
    return false;
  }
  return d.gate.enqueue([&d, c = std::move(command), f = std::move(done)]() mutable { d.take(std::move(c), std::move(f)); });
}

bool Driver::post(std::function<void()> task) {
  Impl& d = *impl_;
  if (!enter(d.tasks, kMaxTasks)) return false;
  return d.gate.enqueue([&d, f = std::move(task)] {
    d.tasks.fetch_sub(1);
    d.turn([&](Instant) { f(); });
  });
}

void Driver::stop() {
  impl_->gate.enqueue([d = impl_.get()] { d->turn([d](Instant now) { d->begin_stop(now); }); });
}

void Driver::stop_now() {
  impl_->gate.enqueue([d = impl_.get()] { d->context.stop(); });
}

std::uint64_t Driver::progress() const { return impl_->progress.load(std::memory_order_relaxed); }

}  // namespace pw::io
