// Streams: what was written arrives, once and in order, or both sides learn that it does not.
#include "sim/net/streams.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "sim/net/talker.hpp"

using namespace pw;
using namespace pw::net;
using E = StreamEvent;
using Events = std::vector<StreamEvent>;

namespace {

Buffer text_of(std::size_t size, std::uint64_t seed = 1) {
  Buffer b(size);
  Rng{seed}.fill(b);
  return b;
}

/// Not compared inside CHECK, which would print both.
bool same(const Buffer& a, const Buffer& b) { return a == b; }

struct Pair {
  explicit Pair(const Link& link = Link{.delay = 10ms}, StreamOptions options = {}, std::uint64_t seed = 1)
      : net{seed}, lan{net.add_segment("lan", link)}, alice{net, lan, "alice", "10.0.0.1", options},
        bob{net, lan, "bob", "10.0.0.2", options}, log{net} {
    bob.streams->listen(Talker::kPort);
  }
  Net net;
  Segment& lan;
  Talker alice;
  Talker bob;
  Log log;
  void run(Duration d) { net.run_until(net.now() + d); }
  StreamId connect() {
    const StreamId id = alice.connect(bob.address());
    run(1s);
    return id;
  }
  void cut(bool cut = true) {
    lan.wire(*alice.machine().interfaces()[0], *bob.machine().interfaces()[0]).link.up = !cut;
    lan.wire(*bob.machine().interfaces()[0], *alice.machine().interfaces()[0]).link.up = !cut;
  }
};

}  // namespace

TEST_CASE("a stream is connected, carries both ways, and ends on both sides when both close") {
  Pair p;
  p.bob.echoes = true;
  const StreamId id = p.connect();
  CHECK(p.alice.events[id] == Events{E::connected});
  CHECK(p.bob.events[p.bob.accepted] == Events{E::accepted});
  CHECK(p.bob.streams->remote(p.bob.accepted).ip == p.alice.address().ip);
  p.alice.say(id, "hello");
  p.run(1s);
  CHECK(as_text(p.alice.heard[id]) == "hello");
  p.alice.streams->close(id);
  p.run(1s);
  CHECK(p.alice.events[id] == Events{E::connected, E::ended, E::closed});
  CHECK(p.bob.events[p.bob.accepted] == Events{E::accepted, E::ended, E::closed});
  p.run(Stream::kLinger);
  CHECK(p.alice.streams->size() == 0);
  CHECK(p.bob.streams->size() == 0);
  CHECK(p.log.total() == 0);
  CHECK(p.net.poll_timeout() == kNever);
}

TEST_CASE("a megabyte arrives intact through loss, reordering, duplication and damage") {
  const auto seed = GENERATE(range(1U, 4U));
  const double loss = GENERATE(0.0, 0.01, 0.1);
  Pair p{Link{.delay = 10ms, .jitter = 2ms, .loss = loss, .reorder = 0.05, .duplicate = 0.05, .corrupt = 0.01}, {}, seed};
  const StreamId id = p.alice.connect(p.bob.address());
  const Buffer sent = text_of(1 << 20);
  p.alice.say(id, sent);
  for (int i = 0; i < 600 && !p.alice.to_say[id].empty(); ++i) p.run(1s);
  p.alice.streams->close(id);
  p.run(5min);
  CHECK(same(p.bob.heard[p.bob.accepted], sent));
  CHECK(p.alice.events[id] == Events{E::connected, E::ended, E::closed});
  CHECK(p.bob.events[p.bob.accepted] == Events{E::accepted, E::ended, E::closed});
  CHECK(p.bob.streams->damaged() > 0);
  CHECK(p.bob.streams->size() == 0);
}

TEST_CASE("both ways at once, each intact") {
  Pair p{Link{.delay = 10ms, .loss = 0.02}};
  const StreamId id = p.connect();
  const Buffer there = text_of(300000, 2);
  const Buffer back = text_of(300000, 3);
  p.alice.say(id, there);
  p.bob.say(p.bob.accepted, back);
  p.run(5min);
  CHECK(same(p.bob.heard[p.bob.accepted], there));
  CHECK(same(p.alice.heard[id], back));
}

TEST_CASE("behind a hole everything waits, and then comes at once") {
  Pair p;
  const StreamId id = p.connect();
  Wire& wire = p.lan.wire(*p.alice.machine().interfaces()[0], *p.bob.machine().interfaces()[0]);
  wire.link.up = false;
  p.alice.say(id, "first ");
  wire.link.up = true;
  p.alice.say(id, "second");
  p.run(100ms);
  CHECK(p.bob.heard[p.bob.accepted].empty());
  p.run(1s);
  CHECK(as_text(p.bob.heard[p.bob.accepted]) == "first second");
}

TEST_CASE("one side may close and go on reading") {
  Pair p;
  p.bob.closes_when_ended = false;
  const StreamId id = p.connect();
  p.alice.say(id, "question");
  p.alice.streams->close(id);
  p.run(1s);
  CHECK(p.bob.told(p.bob.accepted, E::ended));
  CHECK(p.alice.streams->find(id)->sender().done());  // its end was acknowledged, although nothing was said to it
  p.bob.say(p.bob.accepted, "answer");
  p.run(1s);
  CHECK(as_text(p.alice.heard[id]) == "answer");
  CHECK(p.alice.streams->write(id, as_bytes("more")) == 0);
  p.bob.streams->close(p.bob.accepted);
  p.run(1s);
  CHECK(p.alice.told(id, E::closed));
  CHECK(p.bob.told(p.bob.accepted, E::closed));
}

TEST_CASE("nobody listens: refused, whether the machine knows of streams or not") {
  Pair p;
  Recorder plain{p.net, p.lan, "plain", "10.0.0.3"};
  const StreamId first = p.alice.connect({p.bob.address().ip, 80});
  const StreamId second = p.alice.connect({plain.address().ip, 443});
  p.bob.streams->stop_listening(Talker::kPort);
  const StreamId third = p.alice.connect(p.bob.address());
  p.run(1s);
  for (const StreamId id : {first, second, third}) CHECK(p.alice.events[id] == Events{E::refused});
  CHECK(p.alice.streams->size() == 0);
}

TEST_CASE("what was accepted lives on when listening stops") {
  Pair p;
  const StreamId id = p.connect();
  p.bob.streams->stop_listening(Talker::kPort);
  p.alice.say(id, "still");
  p.run(1s);
  CHECK(as_text(p.bob.heard[p.bob.accepted]) == "still");
}

TEST_CASE("nobody is there: connecting is given up when it says, and without a way out it fails at once") {
  Pair p;
  p.bob.machine().set_enabled(*p.bob.machine().interfaces()[0], false);
  const StreamId id = p.alice.connect(p.bob.address());
  p.run(29s);
  CHECK(p.alice.events[id].empty());
  p.run(2s);
  CHECK(p.alice.events[id] == Events{E::timed_out});
  CHECK(p.alice.last_at[id] == Net::kStart + StreamOptions{}.connect_timeout);
  p.alice.machine().set_enabled(*p.alice.machine().interfaces()[0], false);
  CHECK(!p.alice.streams->connect(p.bob.address()));
}

TEST_CASE("over a dead link a stream that has something to say dies in bounded time, and an idle one lives") {
  Pair p;
  const StreamId busy = p.connect();
  const StreamId accepted = p.bob.accepted;
  p.cut();
  p.alice.say(busy, "into the void");
  const Instant cut = p.net.now();
  p.run(10min);
  CHECK(p.alice.told(busy, E::timed_out));
  CHECK(p.alice.last_at[busy] - cut == StreamOptions{}.give_up);
  CHECK(p.bob.events[accepted] == Events{E::accepted});
  // Backed off: 200 ms, doubled each time up to a minute.
  CHECK(p.log.count(Drop::link_down) > 5);
  CHECK(p.log.count(Drop::link_down) < 15);
}

TEST_CASE("a link that comes back in time costs nothing but time") {
  Pair p;
  const StreamId id = p.connect();
  p.cut();
  p.alice.say(id, text_of(100000));
  p.run(40s);
  p.cut(false);
  p.run(60s);
  CHECK(same(p.bob.heard[p.bob.accepted], text_of(100000)));
}

TEST_CASE("a machine that started anew resets what it does not know") {
  Pair p;
  const StreamId id = p.connect();
  p.bob.boot();
  p.bob.streams->listen(Talker::kPort);
  p.alice.say(id, "do you remember?");
  p.run(1s);
  CHECK(p.alice.events[id] == Events{E::connected, E::reset});
  const StreamId again = p.alice.connect(p.bob.address());
  p.run(1s);
  CHECK(p.alice.events[again] == Events{E::connected});
}

TEST_CASE("an abort resets the other side, as the end of a process does") {
  const bool all = GENERATE(false, true);
  Pair p;
  const StreamId id = p.connect();
  if (all)
    p.alice.streams->abort_all();
  else
    p.alice.streams->abort(id);
  CHECK(p.alice.streams->size() == 0);
  p.run(1s);
  CHECK(p.bob.events[p.bob.accepted] == Events{E::accepted, E::reset});
  CHECK(p.alice.events[id] == Events{E::connected});
}

TEST_CASE("buffers are bounded: who does not read holds up who writes, and nothing is lost") {
  StreamOptions small;
  small.send_buffer = 10000;
  small.receive_buffer = 8000;
  const double loss = GENERATE(0.0, 0.2);
  Pair p{Link{.delay = 10ms, .loss = loss}, small};
  p.bob.reads = false;
  const StreamId id = p.connect();
  if (loss > 0) p.run(20s);
  const Buffer sent = text_of(100000);
  CHECK(p.alice.streams->write(id, sent) == 10000);
  p.run(60s);
  CHECK(p.bob.streams->find(p.bob.accepted)->receiver().readable() == 8000);
  CHECK(p.alice.streams->find(id)->sender().buffered() == 2000);
  p.alice.say(id, ByteView{sent}.subspan(10000));
  p.run(10min);  // far longer than anything is given up: the other side lives, it only has no room
  CHECK(p.alice.events[id] == Events{E::connected});
  CHECK(p.bob.streams->find(p.bob.accepted)->receiver().readable() == 8000);
  p.bob.reads = true;
  p.bob.handle_stream(p.bob.machine().now(), p.bob.accepted, E::readable);
  p.run(10min);
  CHECK(same(p.bob.heard[p.bob.accepted], sent));
}

TEST_CASE("streams of one machine are bounded") {
  StreamOptions few;
  few.max_streams = 3;
  Pair p{Link{.delay = 1ms}, few};
  for (int i = 0; i < 3; ++i) p.connect();
  CHECK(!p.alice.streams->connect(p.bob.address()));
  Talker carol{p.net, p.lan, "carol", "10.0.0.3"};
  const StreamId id = carol.connect(p.bob.address());
  p.run(1s);
  CHECK(carol.events[id] == Events{E::refused});
}

TEST_CASE("a stream to the own machine works") {
  Pair p;
  const StreamId id = p.bob.connect(p.bob.address());
  p.bob.say(id, "hello, me");
  p.run(1s);
  CHECK(as_text(p.bob.heard[p.bob.accepted]) == "hello, me");
}
