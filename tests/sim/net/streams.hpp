// Streams: a machine's TCP: reliable, ordered pipes over packets of Protocol::tcp, through links, NATs and firewalls as
// any others. Nothing is promised that TCP does not promise: a hole holds up what is behind it, a dead link shows after
// minutes, an idle stream needs its NAT's mapping to live.
//
//   struct Echo : StreamUser {
//     void handle_stream(Instant, StreamId id, StreamEvent event) override {
//       if (event == StreamEvent::readable) streams.write(id, streams.read(id));
//       if (event == StreamEvent::ended) streams.close(id);
//     } …
//
// Destroying it is what happens when a machine loses its power: nobody is told. A machine on which it does not run
// answers segments with a reset, as does one that started anew.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "base/deadlines.hpp"
#include "base/result.hpp"
#include "base/rng.hpp"
#include "sim/net/machine.hpp"
#include "sim/net/stream.hpp"

namespace pw::net {

using StreamId = std::uint64_t;  // never used again

class StreamUser {
 public:
  virtual ~StreamUser() = default;
  /// Called from within Net::step alone. May call anything of Streams. From StreamEvent::closed on the id is unknown
  /// when this returns.
  virtual void handle_stream(Instant now, StreamId id, StreamEvent event) = 0;
};

class Streams : public Program {
 public:
  Streams(Machine& machine, StreamUser& user, Rng rng, StreamOptions options = {});
  ~Streams() override;
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  /// False when the port is taken.
  bool listen(std::uint16_t port);
  /// What was accepted lives on.
  void stop_listening(std::uint16_t port);
  /// Fails at once without a way out, a free port or room for another stream; what else goes wrong is an event.
  Result<StreamId> connect(const SocketAddress& remote);
  /// How many of these bytes found room; `writable` is told when there is more. 0 for an id that is unknown.
  std::size_t write(StreamId id, ByteView bytes);
  Buffer read(StreamId id, std::size_t most = static_cast<std::size_t>(-1));
  /// Nothing more will be written; what was is sent. Then, when the other side closes too, `closed`.
  void close(StreamId id);
  /// Ends it at once; the other side is reset, nothing is told here.
  void abort(StreamId id);
  /// What a kernel does for a process that dies.
  void abort_all();

  // ---- truth
  const Stream* find(StreamId id) const;
  SocketAddress remote(StreamId id) const;  // of a known one
  std::uint16_t port(StreamId id) const;    // the local one
  std::size_t size() const { return held_.size(); }
  std::uint64_t damaged() const { return damaged_; }  // segments with a wrong checksum

  void handle_arrival(Instant now, const Arrival& arrival) override;
  void handle_timeout(Instant now) override;
  Instant poll_timeout() const override;

 private:
  struct Key {
    std::uint16_t port;
    PathAddress path;
    auto operator<=>(const Key&) const = default;
  };
  struct Held {
    Key key;
    Stream stream;
  };
  struct Port {
    bool listening = false;
    std::size_t streams = 0;
  };
  struct Told {
    StreamId id;
    StreamEvent event;
  };
  StreamId hold(const Key& key, Stream stream);
  void release(std::uint16_t port);
  void send(const Key& key, ByteView segment);
  /// After anything that was done to it: sends, takes its events, sets its deadline.
  void settle(StreamId id);
  void settle_outside(StreamId id);
  void forget(StreamId id);
  void tell(Instant now);

  Machine& machine_;
  StreamUser& user_;
  Rng rng_;
  StreamOptions options_;
  std::map<StreamId, Held> held_;
  std::map<Key, StreamId> by_key_;
  std::map<std::uint16_t, Port> ports_;
  Deadlines<StreamId> deadlines_;
  std::deque<Told> told_;
  StreamId next_id_ = 1;
  std::uint64_t damaged_ = 0;
};

}  // namespace pw::net
