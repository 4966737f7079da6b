#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "sim/service/service_host.hpp"

namespace pw::sim {
namespace {

using wire::service::Services;

/// Ten clients send to an eleventh through a relay for `time`: the first as fast as `greedy` packets every 2 ms, the
/// others one. What arrived of each, in bytes a second.
std::vector<double> shares(const service::ServerOptions& options, int greedy, Duration time) {
  ServiceWorld w{1, {.delay = 5ms}};
  ServiceHost& server = w.add(1);
  server.start(options);
  ServiceHost& sink = w.add(2);
  sink.start();
  sink.keep_packets = true;
  sink.add_client(server, Services::relay);
  std::vector<ServiceHost*> sources;
  std::vector<Via> vias;
  for (std::uint8_t i = 0; i < 10; ++i) {
    ServiceHost& source = *sources.emplace_back(&w.add(static_cast<std::uint8_t>(10 + i)));
    source.start();
    source.add_client(server, Services::relay);
    w.run(200ms);
  }
  for (ServiceHost* source : sources)
    vias.push_back(source->act([&](Instant now) { return source->clients[0]->open_channel(now, sink.id()); }).value());
  w.run(500ms);
  const auto up = sink.told<service::ChannelUp>();
  REQUIRE(up.size() == 10);
  for (Duration t{}; t < time; t += 2ms) {
    for (std::size_t i = 0; i < sources.size(); ++i)
      for (int n = i == 0 ? greedy : 1; n > 0; --n)
        sources[i]->act([&](Instant) { return sources[i]->clients[0]->send(vias[i], Buffer(1200, 1)); });
    w.run(2ms);
  }
  w.run(500ms);
  std::vector<double> out;
  for (const ServiceHost* source : sources) {
    const auto channel = std::ranges::find(up, source->id(), &service::ChannelUp::peer);
    out.push_back(static_cast<double>(sink.packet_bytes[channel->via]) / to_seconds(time));
  }
  const service::ServerStats s = server.server->stats();
  UNSCOPED_INFO("dropped: rate " << s.of(service::DropReason::rate) << " queue " << s.of(service::DropReason::queue));
  return out;
}

}  // namespace

TEST_CASE("a greedy client takes nothing from nine others") {
  service::ServerOptions options;
  options.relay = true;
  options.bytes_per_second = 100e6;       // no help from the rate of each
  options.total_bytes_per_second = 3e6;   // the others ask for 0.6 MB/s each, 5.4 in all
  const auto got = shares(options, 40, 5s);
  const double fair = 3e6 / 10;
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("client " << i << ": " << got[i] << " B/s of a fair " << fair);
    CHECK(got[i] > fair * 0.9);
    CHECK(got[i] < fair * 1.1);
  }
}

TEST_CASE("what others leave is for the greedy") {
  service::ServerOptions options;
  options.relay = true;
  options.bytes_per_second = 100e6;
  options.total_bytes_per_second = 8e6;
  const auto got = shares(options, 20, 5s);
  for (std::size_t i = 1; i < got.size(); ++i) CHECK(got[i] > 0.6e6 * 0.95);
  CHECK(got[0] > 2e6);
}

TEST_CASE("a client has its rate, whatever it sends") {
  service::ServerOptions options;
  options.relay = true;
  const auto got = shares(options, 10, 5s);  // 6 MB/s
  CHECK(got[0] > 2.2e6);
  CHECK(got[0] < 2.7e6);
  for (std::size_t i = 1; i < got.size(); ++i) CHECK(got[i] > 0.6e6 * 0.95);
}

}  // namespace pw::sim
