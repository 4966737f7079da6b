// Two or more endpoints, a virtual clock, and a wire between them that delays, loses, and lets a test look at what
// passes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/rng.hpp"
#include "quic/endpoint.hpp"

namespace pw::quic::test {

inline SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }
/// As its node would write it down: from `local` to `remote`.
inline PathAddress path(const SocketAddress& local, const SocketAddress& remote) { return {local.ip, remote}; }

inline Identity identity(std::uint8_t n) {
  Identity::Seed seed{};
  seed.fill(n);
  return Identity::from_seed(seed).value();
}

/// One endpoint with its addresses; its events are sorted into what tests ask for.
struct Side {
  Side(std::uint8_t n, std::vector<SocketAddress> at, Options options = {})
      : identity{test::identity(n)}, addresses{std::move(at)}, endpoint{make(options, n)} {}

  std::unique_ptr<Endpoint> make(const Options& options, std::uint64_t seed) {
    return std::make_unique<Endpoint>(options, identity, Rng{seed});
  }
  const PeerId& id() const { return identity.id(); }
  Endpoint& operator*() { return *endpoint; }
  Endpoint* operator->() { return endpoint.get(); }

  void collect();
  const Established* established(std::size_t i = 0) const { return i < ups.size() ? &ups[i] : nullptr; }
  const Closed* closed(std::size_t i = 0) const { return i < ends.size() ? &ends[i] : nullptr; }
  std::size_t rejections(event::RejectReason reason) const {
    const auto found = rejected.find(reason);
    return found == rejected.end() ? 0 : found->second;
  }

  Identity identity;
  std::vector<SocketAddress> addresses;
  std::unique_ptr<Endpoint> endpoint;
  bool echo = false;    // give every stream byte back
  bool consume = true;  // use up stream bytes as they come
  bool echo_datagrams = false;
  std::vector<Established> ups;
  std::vector<Closed> ends;
  std::vector<StreamOpened> opened;
  std::vector<StreamReset> resets;
  std::vector<StreamDrained> drained;
  std::map<StreamId, Buffer> received;
  std::map<StreamId, bool> finished;
  std::vector<DatagramReceived> datagrams;
  std::map<event::RejectReason, std::size_t> rejected;
  std::uint64_t received_bytes = 0;

 private:
  void handle(const Established& e) { ups.push_back(e); }
  void handle(const StreamOpened& e) { opened.push_back(e); }
  void handle(const StreamData& e);
  void handle(const DatagramReceived& e);
  void handle(const StreamDrained& e) { drained.push_back(e); }
  void handle(const StreamReset& e) { resets.push_back(e); }
  void handle(const Closed& e) { ends.push_back(e); }
};

struct Packet {
  Side* from;
  SocketAddress source;
  SocketAddress destination;
  Buffer bytes;
  Via via = Via::own;  // as its sender names the channel; then it has no addresses
};

/// Something that carries packets between two sides, each of which has a name of its own for it.
struct Channel {
  Side *a, *b;
  Via at_a, at_b;
};

/// Order of calls: add every side, give commands, then run.
class Wire {
 public:
  explicit Wire(std::uint64_t seed = 1) : rng_{seed} {}
  void add(Side& side) { sides_.push_back(&side); }
  void remove(Side& side) { std::erase(sides_, &side); }

  /// Runs until nothing is left to happen before `until`.
  void run(Duration time);
  /// Takes what the sides have to send, without letting time pass or anything arrive.
  void pump();
  /// A datagram that nobody of ours sent.
  void inject(Side& to, const SocketAddress& source, const SocketAddress& destination, ByteView bytes);
  Instant now() const { return now_; }

  Duration delay = 5ms;
  double loss = 0;
  bool (*filter)(const Packet&) = nullptr;                                // false: the packet is lost
  std::optional<std::pair<SocketAddress, SocketAddress>> rewrite_source;  // first → second, like a NAT that rebinds
  bool record = false;
  std::vector<Packet> log;  // every packet sent, when `record`
  std::vector<Channel> channels;
  std::uint64_t sent = 0;
  std::uint64_t transmits = 0;

 private:
  void put(Side& from, const Transmit& transmit);
  void deliver(const Packet& packet);
  Side* at(const SocketAddress& address);

  Rng rng_;
  Instant now_{1s};
  std::vector<Side*> sides_;
  std::multimap<Instant, Packet> flying_;
};

/// Two sides that know each other's address, and a connection from `a` to `b`.
struct Pair {
  explicit Pair(Options a_options = {}, Options b_options = {}, std::uint64_t seed = 1)
      : a{1, {address("192.0.2.1:1001")}, a_options}, b{2, {address("192.0.2.2:1002")}, b_options}, wire{seed} {
    wire.add(a);
    wire.add(b);
  }
  Handle dial() {
    const PathAddress to = path(a.addresses[0], b.addresses[0]);
    return a->dial(wire.now(), {&to, 1}, b.id()).value();
  }
  /// False if the handshake failed.
  bool connect() {
    const std::size_t before_a = a.ups.size(), before_b = b.ups.size();
    dial();
    wire.run(1s);
    return a.ups.size() == before_a + 1 && b.ups.size() == before_b + 1;
  }
  Handle ha() const { return a.ups.back().connection; }
  Handle hb() const { return b.ups.back().connection; }

  Side a, b;
  Wire wire;
};

}  // namespace pw::quic::test
