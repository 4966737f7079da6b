#include "base/websocket_address.hpp"

#include <catch2/catch_test_macros.hpp>

namespace pw {
namespace {

TEST_CASE("a WebSocket's URL is read as people write it, and shown without what goes without saying") {
  const auto plain = WebSocketAddress::parse("wss://relay.example/relay");
  REQUIRE(plain);
  CHECK(*plain == WebSocketAddress{"relay.example", 443, "/relay"});
  CHECK(plain->to_string() == "wss://relay.example/relay");
  const auto bare = WebSocketAddress::parse("wss://relay.example");
  REQUIRE(bare);
  CHECK(bare->path == "/");
  for (const char* text : {"wss://192.0.2.7:8443/relay?x=1", "wss://[2001:db8::7]:8443/", "wss://[2001:db8::7]/relay"}) {
    INFO(text);
    const auto read = WebSocketAddress::parse(text);
    REQUIRE(read);
    CHECK(read->to_string() == text);
  }
  CHECK(WebSocketAddress::parse("wss://[2001:db8::7]/relay")->host == "2001:db8::7");
}

TEST_CASE("what is no such URL is refused") {
  const std::string far = "wss://relay.example/" + std::string(WebSocketAddress::kMaxPath, 'a');
  for (const std::string& bad : {std::string{}, std::string{"relay.example"}, std::string{"ws://relay.example/relay"},
                                 std::string{"https://relay.example/"}, std::string{"wss:///relay"},
                                 std::string{"wss://relay.example:0/"}, std::string{"wss://relay.example:99999/"},
                                 std::string{"wss://a@b/"}, std::string{"wss://relay.example/a b"},
                                 std::string{"wss://relay.example/a#b"}, std::string{"wss://relay.example/\r\nX: y"}, far}) {
    INFO(bad);
    CHECK_FALSE(WebSocketAddress::parse(bad));
  }
}

}  // namespace
}  // namespace pw
