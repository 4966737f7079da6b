// Words, times and JSON that the outside reads.
#include <catch2/catch_test_macros.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "observe/fields.hpp"
#include "observe/levels.hpp"
#include "observe/log_table.hpp"
#include "observe/recent.hpp"
#include "observe/time_text.hpp"
#include "world.hpp"

using namespace pw;
using namespace pw::event;
using namespace pw::test;
using namespace pw::observe;
using nlohmann::json;

TEST_CASE("times are RFC 3339 in UTC with milliseconds, rounded down") {
  CHECK(rfc3339(WallTime{}) == "1970-01-01T00:00:00.000Z");
  CHECK(rfc3339(WallTime{Duration{1'763'720'490'123'999'999}}) == "2025-11-21T10:21:30.123Z");
  CHECK(rfc3339(WallTime{Duration{951'782'399'999'000'000}}) == "2000-02-28T23:59:59.999Z");
  CHECK(rfc3339(WallTime{Duration{951'782'400'000'000'000}}) == "2000-02-29T00:00:00.000Z");
  CHECK(rfc3339(WallTime{Duration{-1}}) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("durations are short for people") {
  CHECK(human(0s) == "0s");
  CHECK(human(840ns) == "840ns");
  CHECK(human(12345ns) == "12.3µs");
  CHECK(human(999'600ns) == "1ms");
  CHECK(human(1500us) == "1.5ms");
  CHECK(human(999'499us) == "999ms");
  CHECK(human(999'600us) == "1s");
  CHECK(human(2049ms) == "2.05s");
  CHECK(human(59'940ms) == "59.9s");
  CHECK(human(59'960ms) == "1m");
  CHECK(human(200s) == "3m20s");
  CHECK(human(59min + 59s + 600ms) == "1h");
  CHECK(human(125min) == "2h5m");
  CHECK(human(99h) == "4d3h");
  CHECK(human(-1500us) == "-1.5ms");
  CHECK(!human(Duration::min()).empty());
  CHECK(!human(Duration::max()).empty());
}

TEST_CASE("every event has words, fields, a room and JSON that parses") {
  const auto events = one_of_each(peer(1));
  REQUIRE(events.size() == kEventNames.size());
  std::uint64_t seq = 0;
  for (const Event& event : events) {
    INFO(name_of(event));
    CHECK(event.index() == seq);
    CHECK(!message_of(event).empty());
    CHECK(message_of(event).back() != '.');
    const json parsed = json::parse(to_json({++seq, kWall, event}));
    CHECK(parsed.at("seq") == seq);
    CHECK(parsed.at("time") == "2025-11-21T10:21:30.123Z");
    CHECK(parsed.at("type") == name_of(event));
    CHECK(parsed.at("message") == message_of(event));
    CHECK(parsed.size() == 4 + fields_of(event).size());  // no name twice, none of them one of ours
    if (peer_of(event)) CHECK(parsed.at("peer") == peer(1).to_string());
    CHECK(importance_of(event).level != Level::off);
  }
}

TEST_CASE("values keep their meaning in JSON") {
  const auto of = [](Event e) { return json::parse(to_json({1, kWall, std::move(e)})); };
  const json dial = of(DialEnded{peer(1), DialResult::failed, ErrorType::timeout, "no answer", 1500us, 2s});
  CHECK(dial.at("took_ms") == 1.5);
  CHECK(dial.at("retry_in_ms") == 2000.0);
  CHECK(dial.at("error") == "timeout");
  CHECK(!of(DialEnded{peer(1), DialResult::success, {}, "", 1ms, 0s}).contains("error"));
  CHECK(of(EchoMeasured{peer(1), PathKind::relay_quic, 1ms, true}).at("suspect") == true);
  CHECK(of(SessionEstablished{peer(1), true, 1ms, PathKind::direct_v4, {{}, address()}}).at("remote") == "192.0.2.7:9470");
  CHECK(!of(ConnectionFailed{std::nullopt, {}, ErrorType::tls, ""}).contains("peer"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(of(BandwidthMeasured{peer(1), Direction::inbound, 1, 1s, nan}).at("bytes_per_second").is_null());
  CHECK(of(PacketRejected{RejectReason::stun, address()}).at("from") == "192.0.2.7:9470");
}

TEST_CASE("hostile text is valid JSON, and plain text comes back as it was") {
  const auto round_trip = [](const std::string& text) {
    return json::parse(to_json({1, kWall, Trouble{text, ""}})).at("what").get<std::string>();
  };
  for (const std::string& text : {std::string{"a\"b\\c\n\r\t\x01\x1f\x7f d"}, std::string{"nul\0in", 6},
                                  std::string{"é€😀"}, std::string{"\u202Ereversed\u2066\u2028"}})
    CHECK(round_trip(text) == text);
  CHECK(round_trip("\xff") == "\uFFFD");
  CHECK(round_trip("\xc0\xaf") == "\uFFFD\uFFFD");            // overlong
  CHECK(round_trip("\xed\xa0\x80") == "\uFFFD\uFFFD\uFFFD");  // surrogate
  CHECK(round_trip("\xf4\x90\x80\x80x") == "\uFFFD\uFFFD\uFFFD\uFFFDx");
  CHECK(round_trip("cut \xe2\x82") == "cut \uFFFD\uFFFD");
  const std::string written = to_json({1, kWall, Trouble{"\x1b[31m\u009b\u202E", ""}});
  for (const char c : written) CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  CHECK(written.find("\\u202e") != written.npos);
  CHECK(written.find("\\u009b") != written.npos);
}

TEST_CASE("reasons tell events apart that are different things to say") {
  const auto failed = [](ErrorType e) { return reason_of(DialEnded{peer(1), DialResult::failed, e, "", 1s, 1s}); };
  CHECK(failed(ErrorType::timeout) != failed(ErrorType::refused));
  CHECK(failed(ErrorType::timeout) ==
        reason_of(DialEnded{peer(1), DialResult::failed, ErrorType::timeout, "x", 9s, 2s}));
  std::set<std::uint64_t> states;
  for (std::uint8_t from = 0; from < 5; ++from)
    for (std::uint8_t to = 0; to < 5; ++to)
      states.insert(reason_of(StateChanged{peer(1), SessionState{from}, SessionState{to}}));
  CHECK(states.size() == 25);
  CHECK(reason_of(Trouble{"disk", "a"}) != reason_of(Trouble{"disk", "b"}));  // each is told once only, so none is lost
  CHECK(reason_of(Trouble{"disk", ""}) != reason_of(Trouble{"socket", ""}));
}

TEST_CASE("levels are read per room, and a mistake is named") {
  const auto level = [](std::string_view text, Room room) {
    const auto levels = parse_levels(text);
    REQUIRE(levels);
    return (*levels)[static_cast<std::size_t>(room)];
  };
  CHECK(level("info", Room::quic) == Level::info);
  CHECK(level("info,quic=debug", Room::quic) == Level::debug);
  CHECK(level("info,quic=debug", Room::peer) == Level::info);
  CHECK(level("quic=debug,error", Room::quic) == Level::debug);
  CHECK(level("quic=debug", Room::peer) == Level::info);
  CHECK(level(" warn , http = off ", Room::http) == Level::off);
  CHECK(level(" warn , http = off ", Room::peer) == Level::warning);
  CHECK(level("quic=debug,quic=error", Room::quic) == Level::error);
  for (const char* bad : {"", "loud", "info,", "quic=", "=debug", "kitchen=info", "info;quic=debug"}) {
    INFO(bad);
    REQUIRE(!parse_levels(bad));
    CHECK(parse_levels(bad).error().detail.find("use one of") != std::string::npos);
  }
}

TEST_CASE("the ring keeps the newest, and gives them in order") {
  RecentEvents ring{3};
  CHECK(ring.oldest() == 0);
  CHECK(ring.newest() == 0);
  CHECK(ring.query(0, {}, {}, 10).empty());
  for (std::uint64_t seq = 1; seq <= 5; ++seq)
    ring.add({seq * 10, kWall, seq % 2 == 0 ? Event{PeerRemoved{peer(1)}} : Event{PeerRemoved{peer(2)}}});
  CHECK(ring.size() == 3);
  CHECK(ring.oldest() == 30);
  CHECK(ring.newest() == 50);
  const auto seqs = [](const std::vector<Entry>& entries) {
    std::vector<std::uint64_t> out;
    for (const Entry& e : entries) out.push_back(e.seq);
    return out;
  };
  using Seqs = std::vector<std::uint64_t>;
  CHECK(seqs(ring.query(0, {}, {}, 10)) == Seqs{30, 40, 50});
  CHECK(seqs(ring.query(30, {}, {}, 10)) == Seqs{40, 50});
  CHECK(seqs(ring.query(35, {}, {}, 1)) == Seqs{40});
  CHECK(seqs(ring.query(0, peer(2), {}, 10)) == Seqs{30, 50});
  CHECK(seqs(ring.query(0, {}, "peer_removed", 10)) == Seqs{30, 40, 50});
  CHECK(ring.query(0, {}, "no_such_type", 10).empty());
  CHECK(ring.query(50, {}, {}, 10).empty());
  CHECK(ring.query(0, {}, {}, 0).empty());
}

TEST_CASE("what comes at the rate of probes or of strangers' packets is not kept") {
  std::set<std::string_view> left_out;
  for (const Event& event : one_of_each(peer(1)))
    if (!worth_keeping(event)) left_out.insert(name_of(event));
  CHECK(left_out == std::set<std::string_view>{"echo_measured", "probe_measured", "probes_accounted", "path_latency",
                                               "packet_rejected", "check_refused", "candidates_refused",
                                               "service_requested", "node_late", "pipe_refused", "budget_denied",
                                               "queue_dropped", "inbound_channel_closed"});
  CHECK_FALSE(worth_keeping(PathForgotten{peer(1), PathKind::direct_v4, {{}, address()}, PathEnd::unanswered}));
}
