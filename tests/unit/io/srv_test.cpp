// What DNS says of peers: SRV and TXT records, as messages have them.
#include "io/srv.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/rng.hpp"

namespace pw::io {
namespace {

Buffer name(const std::string& dotted) {
  Buffer out;
  for (std::size_t at = 0; at < dotted.size();) {
    const std::size_t dot = std::min(dotted.find('.', at), dotted.size());
    out.push_back(static_cast<std::uint8_t>(dot - at));
    out.insert(out.end(), dotted.begin() + static_cast<std::ptrdiff_t>(at), dotted.begin() + static_cast<std::ptrdiff_t>(dot));
    at = dot + 1;
  }
  out.push_back(0);
  return out;
}

struct Record {
  std::uint16_t type;
  std::uint32_t ttl;
  Buffer data;
  std::uint16_t of_class = 1;
};

/// An answer to a question about q.example, with these records (RFC 1035 section 4).
Buffer message(const std::vector<Record>& records) {
  Buffer out;
  ByteWriter w{out};
  w.u16(7);
  w.u16(0x8180);
  w.u16(1);
  w.u16(static_cast<std::uint16_t>(records.size()));
  w.u32(0);
  w.bytes(name("q.example"));
  w.u16(33);
  w.u16(1);
  for (const Record& r : records) {
    w.u16(0xc00c);  // the question's name
    w.u16(r.type);
    w.u16(r.of_class);
    w.u32(r.ttl);
    w.u16(static_cast<std::uint16_t>(r.data.size()));
    w.bytes(r.data);
  }
  return out;
}

Record srv(std::uint16_t priority, std::uint16_t port, const std::string& target, std::uint32_t ttl = 60) {
  Buffer data;
  ByteWriter w{data};
  w.u16(priority);
  w.u16(5);
  w.u16(port);
  w.bytes(target == "." ? Buffer{0} : name(target));
  return {33, ttl, data};
}

Record txt(const std::vector<std::string>& strings, std::uint32_t ttl = 60) {
  Buffer data;
  for (const std::string& s : strings) {
    data.push_back(static_cast<std::uint8_t>(s.size()));
    data.insert(data.end(), s.begin(), s.end());
  }
  return {16, ttl, data};
}

std::string id(std::uint8_t n) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  key.fill(n);
  return PeerId{key}.to_string();
}

}  // namespace

TEST_CASE("targets come by priority, with the shortest time to live") {
  const auto answer = parse_srv(message({srv(20, 1, "b.example", 300), srv(10, 2, "a.example", 30), {1, 5, Buffer{1, 2, 3, 4}}}));
  REQUIRE(answer);
  REQUIRE(answer->targets.size() == 2);
  CHECK(answer->targets[0].at == HostPort{"a.example", 2});
  CHECK(answer->targets[1].at == HostPort{"b.example", 1});
  CHECK(answer->ttl == 30s);
  CHECK(parse_srv(message({}))->targets.empty());
}

TEST_CASE("what is no target is left out: the root, port 0, another class, what is cut off") {
  Record other = srv(1, 1, "a.example");
  other.of_class = 3;
  Record cut = srv(1, 1, "a.example");
  cut.data.resize(6);
  Record overlong = srv(1, 1, "a.example");
  overlong.data[6] = 63;  // a label that runs out of the message
  const auto answer = parse_srv(message({srv(1, 1, "."), srv(1, 0, "a.example"), other, cut, overlong}));
  REQUIRE(answer);
  CHECK(answer->targets.empty());
}

TEST_CASE("texts are joined, and the one that names an id counts") {
  const auto answer = parse_txt(message({txt({"v=1"}), txt({"id=" + id(1).substr(0, 20), id(1).substr(20)}, 20)}));
  REQUIRE(answer);
  CHECK(answer->texts == std::vector<std::string>{"v=1", "id=" + id(1)});
  CHECK(answer->ttl == 20s);
  CHECK(id_of(answer->texts) == PeerId::parse(id(1)));
  CHECK(id_of({"v=1"}).error().detail == "it has no TXT record \"id=PEERID\"");
  CHECK(id_of({"id=short"}).error().detail == "its TXT record names no peer id");
  CHECK(id_of({"id=" + id(1), "id=" + id(1)}));
  CHECK(id_of({"id=" + id(1), "id=" + id(2)}).error().detail == "its TXT records name different peer ids");
}

TEST_CASE("bytes that are no message, or a damaged one, do no harm") {
  CHECK_FALSE(parse_srv({}));
  CHECK_FALSE(parse_txt(Buffer(11, 1)));
  const Buffer good = message({srv(1, 1, "a.example"), txt({"id=" + id(1)})});
  Rng rng{3};
  for (int i = 0; i < 20000; ++i) {
    Buffer bytes = good;
    for (std::uint64_t n = rng.below(4) + 1; n > 0; --n) bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.next());
    bytes.resize(rng.below(bytes.size() + 1));
    static_cast<void>(parse_srv(bytes));
    static_cast<void>(parse_txt(bytes));
  }
}

}  // namespace pw::io
