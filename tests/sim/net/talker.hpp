// Talker: a machine with Streams whose user writes down what it is told, sends what it is given as fast as there is
// room, and reads at once unless told not to. For tests of streams.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/net/recorder.hpp"
#include "sim/net/streams.hpp"

namespace pw::net {

class Talker : public StreamUser {
 public:
  static constexpr std::uint16_t kPort = 443;

  Talker(Net& net, Segment& segment, std::string_view name, std::string_view address, StreamOptions options = {},
         const Link& access = {})
      : net_{net}, machine_{&net.add_machine(std::string{name})}, options_{options} {
    machine_->attach(segment, {ip(address)}, access);
    boot();
  }
  /// The machine's TCP begins anew: as after a reboot when it ran before.
  void boot() {
    streams.reset();
    streams = std::make_unique<Streams>(*machine_, *this, net_.rng_for("tcp " + machine_->name() + std::to_string(++boots_)),
                                        options_);
  }

  Machine& machine() { return *machine_; }
  SocketAddress address() const { return {machine_->interfaces()[0]->addresses[0], kPort}; }
  StreamId connect(const SocketAddress& to) {
    const auto id = streams->connect(to);
    PW_CHECK(id);
    return *id;
  }
  void say(StreamId id, ByteView bytes) {
    Buffer& left = to_say[id];
    left.insert(left.end(), bytes.begin(), bytes.end());
    go_on(id);
  }
  void say(StreamId id, std::string_view text) { say(id, as_bytes(text)); }
  /// The last id that was accepted.
  StreamId accepted = 0;
  bool reads = true;
  bool closes_when_ended = true;
  bool echoes = false;

  std::unique_ptr<Streams> streams;
  std::map<StreamId, Buffer> heard;
  std::map<StreamId, Buffer> to_say;
  std::map<StreamId, std::vector<StreamEvent>> events;  // readable and writable left out
  std::map<StreamId, Instant> last_at;                  // of the last event
  bool told(StreamId id, StreamEvent e) const {
    const auto found = events.find(id);
    return found != events.end() && std::ranges::find(found->second, e) != found->second.end();
  }

  void handle_stream(Instant now, StreamId id, StreamEvent event) override {
    last_at[id] = now;
    if (event == StreamEvent::accepted) accepted = id;
    if (event != StreamEvent::readable && event != StreamEvent::writable) events[id].push_back(event);
    if (event == StreamEvent::readable && reads) {
      const Buffer got = streams->read(id);
      heard[id].insert(heard[id].end(), got.begin(), got.end());
      if (echoes) say(id, got);
    }
    if (event == StreamEvent::writable) go_on(id);
    if (event == StreamEvent::ended && closes_when_ended) streams->close(id);
  }

 private:
  void go_on(StreamId id) {
    Buffer& left = to_say[id];
    const std::size_t n = streams->write(id, left);
    left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(n));
  }
  Net& net_;
  Machine* machine_;
  StreamOptions options_;
  int boots_ = 0;
};

}  // namespace pw::net
