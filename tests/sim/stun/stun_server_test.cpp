// The server answers from where RFC 5780 table 1 says.
#include "sim/stun/stun_server.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sim/net/net.hpp"

using namespace pw;
using namespace pw::net;

namespace {

constexpr std::uint16_t kPort = 5000;

SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

struct Client : Program {
  std::vector<std::pair<SocketAddress, std::uint16_t>> from;  // and the own port that it came to
  std::vector<Result<StunMessage>> answers;
  void handle_arrival(Instant, const Arrival& arrival) override {
    from.emplace_back(arrival.path.remote, arrival.port);
    answers.push_back(decode_stun(arrival.bytes));
  }
};

struct Fixture {
  Net net{1};
  Segment& segment{net.add_segment("internet")};
  Machine& server_machine{net.add_machine("server")};
  Machine& machine{net.add_machine("client")};
  std::unique_ptr<StunServer> server;
  Client client;

  explicit Fixture(StunServerOptions options = {}) {
    server_machine.attach(segment, {IpAddress::v4({192, 0, 2, 1}), IpAddress::v4({192, 0, 2, 2})});
    machine.attach(segment, {IpAddress::v4({192, 0, 2, 9})});
    server = std::make_unique<StunServer>(server_machine, Family::v4, options);
    REQUIRE(machine.open(client, kPort));
    REQUIRE(machine.open(client, kPort + 1));
  }
  ~Fixture() { machine.kill(client); }

  void send(std::string_view to, ByteView bytes) {
    machine.send(kPort, {IpAddress{}, address(to)}, bytes);
    net.run_until(net.now() + 1s);
  }
};

}  // namespace

TEST_CASE("a response comes from the address and port that the request asked for, and says so") {
  struct Row {
    const char* to;
    ChangeRequest change;
    const char* from;
    const char* other;
  };
  const Row rows[] = {{"192.0.2.1:3478", {false, false}, "192.0.2.1:3478", "192.0.2.2:3479"},
                      {"192.0.2.1:3478", {true, false}, "192.0.2.2:3478", "192.0.2.2:3479"},
                      {"192.0.2.1:3478", {false, true}, "192.0.2.1:3479", "192.0.2.2:3479"},
                      {"192.0.2.1:3478", {true, true}, "192.0.2.2:3479", "192.0.2.2:3479"},
                      {"192.0.2.2:3479", {false, false}, "192.0.2.2:3479", "192.0.2.1:3478"},
                      {"192.0.2.2:3478", {true, true}, "192.0.2.1:3479", "192.0.2.1:3479"}};
  Fixture f;
  for (const Row& row : rows) {
    StunMessage request;
    request.id[0] = 7;
    request.change = row.change;
    request.fingerprint = true;
    f.client.answers.clear();
    f.client.from.clear();
    f.send(row.to, encode(request));
    REQUIRE(f.client.answers.size() == 1);
    const auto& answer = f.client.answers[0];
    REQUIRE(answer);
    CHECK(answer->kind == StunMessage::Class::success);
    CHECK(answer->id == request.id);
    CHECK(answer->fingerprint);
    CHECK(answer->mapped == address("192.0.2.9:5000"));
    CHECK(answer->xor_mapped == address("192.0.2.9:5000"));
    CHECK(f.client.from[0].first == address(row.from));
    CHECK(answer->response_origin == address(row.from));
    CHECK(answer->other_address == address(row.other));
  }
}

TEST_CASE("a response goes to the port that the request names") {
  Fixture f;
  StunMessage request;
  request.response_port = kPort + 1;
  f.send("192.0.2.1:3478", encode(request));
  REQUIRE(f.client.from.size() == 1);
  CHECK(f.client.from[0].second == kPort + 1);
  CHECK(f.client.answers[0]->xor_mapped == address("192.0.2.9:5000"));
}

TEST_CASE("what is not understood is refused by its type") {
  Fixture f;
  f.send("192.0.2.1:3478", *from_hex("000100082112a442000000000000000000000000002400046e0001ff"));  // PRIORITY
  REQUIRE(f.client.answers.size() == 1);
  REQUIRE(f.client.answers[0]);
  CHECK(f.client.answers[0]->error == StunError{420, "Unknown Attribute"});
  CHECK(f.client.answers[0]->unknown_attributes == std::vector<std::uint16_t>{0x0024});
}

TEST_CASE("what is no request is not answered") {
  Fixture f;
  StunMessage response;
  response.kind = StunMessage::Class::success;
  f.send("192.0.2.1:3478", encode(response));
  response.kind = StunMessage::Class::indication;
  f.send("192.0.2.1:3478", encode(response));
  f.send("192.0.2.1:3478", Buffer(40, 1));
  CHECK(f.client.answers.empty());
  CHECK(f.server->ignored() == 3);
}

TEST_CASE("an ordinary server has one port, names no other address and refuses to change it") {
  StunServerOptions ordinary;
  ordinary.behaviour_discovery = false;
  Fixture f{ordinary};
  StunMessage request;
  f.send("192.0.2.1:3479", encode(request));
  CHECK(f.client.answers.empty());
  f.send("192.0.2.1:3478", encode(request));
  REQUIRE(f.client.answers.size() == 1);
  CHECK_FALSE(f.client.answers[0]->other_address);
  request.change = ChangeRequest{true, true};
  f.send("192.0.2.1:3478", encode(request));
  REQUIRE(f.client.answers.size() == 2);
  CHECK(f.client.answers[1]->error->code == 420);
  CHECK(f.client.from[1].first == address("192.0.2.1:3478"));
}
