// Log lines: which are written, how often, and that nothing in them can pass for something else.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "observe/line_queue.hpp"
#include "observe/log.hpp"
#include "observe/log_format.hpp"
#include "observe/repeats.hpp"
#include "world.hpp"

using namespace pw;
using namespace pw::event;
using namespace pw::test;
using namespace pw::observe;
using nlohmann::json;

namespace {

/// logfmt as its readers have it: key=bare or key="escaped as in JSON", apart by one space.
std::vector<std::pair<std::string, std::string>> read_logfmt(std::string_view line) {
  std::vector<std::pair<std::string, std::string>> out;
  REQUIRE(line.ends_with('\n'));
  line.remove_suffix(1);
  REQUIRE(line.find('\n') == line.npos);
  while (!line.empty()) {
    const auto equals = line.find('=');
    REQUIRE(equals != line.npos);
    const std::string key{line.substr(0, equals)};
    CHECK(key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == key.npos);
    line.remove_prefix(equals + 1);
    std::size_t size = 0;
    if (line.starts_with('"')) {
      for (size = 1; size < line.size() && line[size] != '"'; ++size)
        if (line[size] == '\\') ++size;
      ++size;
      REQUIRE(size <= line.size());
      out.emplace_back(key, json::parse(line.substr(0, size)).get<std::string>());
    } else {
      size = std::min(line.find(' '), line.size());
      out.emplace_back(key, line.substr(0, size));
    }
    line.remove_prefix(size);
    if (line.empty()) break;
    REQUIRE(line.front() == ' ');
    line.remove_prefix(1);
    REQUIRE(!line.empty());
  }
  return out;
}

struct Captured {
  explicit Captured(LogFormat format = LogFormat::json, std::string_view levels = "debug")
      : log{LogOptions{format, *parse_levels(levels), [] { return kWall; },
                       [this](std::string_view line) { lines.emplace_back(line); }}} {}
  json at(std::size_t i) const { return json::parse(lines.at(i)); }
  std::vector<std::string> lines;
  Log log;
};

DialEnded failed_dial(unsigned n, ErrorType error = ErrorType::timeout) {
  return {peer(n), DialResult::failed, error, "no answer", 3s, 500ms};
}

const std::string kHostile =
    std::string{"a\"b\\c =\n\r\t\x1b[31m\x7f", 16} + std::string{"\0\xff\xc0\xaf", 4} + "é\u202E";

}  // namespace

TEST_CASE("a hostile value comes back whole from JSON and from logfmt, and brings no control character") {
  for (const LogFormat format : {LogFormat::json, LogFormat::logfmt, LogFormat::journal}) {
    Captured c{format};
    c.log.line(Level::info, Room::http, kHostile,
               {{"detail", kHostile}, {"empty", std::string{}}, {"n", std::uint64_t{7}}});
    REQUIRE(c.lines.size() == 1);
    const std::string& line = c.lines[0];
    for (const char ch : std::string_view{line}.substr(0, line.size() - 1))
      CHECK((static_cast<unsigned char>(ch) >= 0x20 && ch != 0x7f));
    CHECK(line.find("\u202E") == line.npos);
    std::string expected = kHostile;
    expected.replace(expected.find('\xff'), 3, "\uFFFD\uFFFD\uFFFD");
    if (format == LogFormat::json) {
      const json parsed = json::parse(line);
      CHECK(parsed.at("msg") == expected);
      CHECK(parsed.at("detail") == expected);
      CHECK(parsed.at("empty") == "");
      CHECK(parsed.at("n") == 7);
      CHECK(parsed.at("time") == "2025-11-21T10:21:30.123Z");
    } else {
      const std::string_view text = line;
      const auto pairs = read_logfmt(format == LogFormat::journal ? text.substr(3) : text);
      const std::map<std::string, std::string> values(pairs.begin(), pairs.end());
      CHECK(values.size() == pairs.size());
      CHECK(values.at("msg") == expected);
      CHECK(values.at("detail") == expected);
      CHECK(values.at("empty").empty());
      CHECK(values.at("level") == "info");
      CHECK(values.contains("time") == (format == LogFormat::logfmt));
    }
  }
}

TEST_CASE("every event makes a line that parses, in every format") {
  for (const LogFormat format : {LogFormat::json, LogFormat::logfmt, LogFormat::journal}) {
    Captured c{format};
    for (const Event& event : one_of_each(peer(1))) c.log.handle({Instant{}, event});
    c.log.tick(kNever);
    CHECK(c.lines.size() == kEventNames.size());
    for (const std::string& line : c.lines) {
      INFO(line);
      if (format == LogFormat::json)
        CHECK(json::parse(line).contains("msg"));
      else
        CHECK(read_logfmt(format == LogFormat::journal ? std::string_view{line}.substr(3) : line).size() >= 3);
    }
  }
}

TEST_CASE("the journal gets priorities") {
  Captured c{LogFormat::journal};
  c.log.line(Level::debug, Room::app, "a");
  c.log.line(Level::info, Room::app, "b");
  c.log.line(Level::warning, Room::app, "c");
  c.log.line(Level::error, Room::app, "d");
  REQUIRE(c.lines.size() == 4);
  CHECK(c.lines[0] == "<7>level=debug room=app msg=a\n");
  CHECK(c.lines[1].starts_with("<6>"));
  CHECK(c.lines[2].starts_with("<4>"));
  CHECK(c.lines[3].starts_with("<3>"));
}

TEST_CASE("a line is never longer than a pipe takes whole") {
  Fields fields;
  for (int i = 0; i < 50; ++i) fields.push_back({"detail", std::string(5000, '\x01')});
  for (const LogFormat format : {LogFormat::json, LogFormat::logfmt, LogFormat::journal}) {
    const std::string line = format_line(format, {kWall, Level::info, Room::app, std::string(5000, '\x02'), fields});
    CHECK(line.size() <= kMaxLine);
    if (format == LogFormat::json)
      CHECK(json::parse(line).at("cut") == true);
    else
      CHECK(line.ends_with("cut=true\n"));
  }
}

TEST_CASE("a room's level holds for its lines, and changes at a reload") {
  Captured c{LogFormat::json, "warning,peer=info"};
  c.log.handle({Instant{}, SessionEstablished{peer(1), true, 1ms, PathKind::direct_v4, {{}, address()}}});  // peer, info
  c.log.handle({Instant{}, NodeStopping{}});                                                          // mesh, info
  c.log.line(Level::info, Room::http, "no");
  c.log.line(Level::error, Room::http, "yes");
  CHECK(c.lines.size() == 2);
  CHECK(!c.log.enabled(Level::info, Room::http));
  c.log.set_levels(*parse_levels("off,http=debug"));
  CHECK(c.log.enabled(Level::debug, Room::http));
  c.log.line(Level::debug, Room::http, "yes");
  c.log.line(Level::error, Room::peer, "no");
  c.log.line(Level::off, Room::http, "off is no level of a line");
  CHECK(c.lines.size() == 3);
}

TEST_CASE("repeats within 10 s become one line at the window's end") {
  Captured c;
  Instant now{};
  for (int i = 0; i < 5; ++i) c.log.handle({now += 1s, failed_dial(1)});
  c.log.handle({now, failed_dial(2)});
  c.log.handle({now, failed_dial(1, ErrorType::refused)});
  REQUIRE(c.lines.size() == 3);  // another peer and another reason are something else
  CHECK(!c.at(0).contains("repeated"));
  c.log.tick(Instant{11s} - 1ns);
  CHECK(c.lines.size() == 3);
  c.log.tick(Instant{11s});
  REQUIRE(c.lines.size() == 4);
  CHECK(c.at(3).at("repeated") == 4);
  CHECK(c.at(3).at("error") == "timeout");
  CHECK(c.at(3).at("peer") == peer(1).to_string());
  c.log.tick(kNever);
  CHECK(c.lines.size() == 4);  // what came once has nothing to add
  c.log.handle({Instant{30s}, failed_dial(1)});
  CHECK(c.lines.size() == 5);
}

TEST_CASE("two troubles of one kind that differ are two lines") {
  Captured c;
  c.log.handle({Instant{1s}, Trouble{"network", "no IPv6 here"}});
  c.log.handle({Instant{1s}, Trouble{"network", "sending failed"}});
  c.log.handle({Instant{1s}, Trouble{"network", "sending failed"}});
  REQUIRE(c.lines.size() == 2);
  CHECK(c.at(1).at("detail") == "sending failed");
}

TEST_CASE("an event after the window closes it without a tick") {
  Captured c;
  c.log.handle({Instant{}, failed_dial(1)});
  c.log.handle({Instant{1s}, failed_dial(1)});
  c.log.handle({Instant{10s}, failed_dial(1)});
  REQUIRE(c.lines.size() == 3);
  CHECK(c.at(1).at("repeated") == 1);
  CHECK(!c.at(2).contains("repeated"));
}

TEST_CASE("rejected packets are only summed up, by reason") {
  Captured c;
  for (int i = 0; i < 1000; ++i) c.log.handle({Instant{1s}, PacketRejected{RejectReason::malformed, address(1)}});
  c.log.handle({Instant{1s}, PacketRejected{RejectReason::stun, address(2)}});
  CHECK(c.lines.empty());
  c.log.tick(Instant{11s});
  REQUIRE(c.lines.size() == 2);
  CHECK(c.at(0).at("repeated") == 1000);
  CHECK(c.at(0).at("reason") == "malformed");
  CHECK(c.at(1).at("repeated") == 1);
}

TEST_CASE("windows are bounded: the oldest closes early, and no repetition is lost") {
  Repeats repeats;
  std::uint64_t told = 0;
  const auto count = [&](const std::vector<Repeats::Line>& lines) {
    for (const auto& line : lines) told += line.repeated == 0 ? 1 : line.repeated;
  };
  std::uint64_t given = 0;
  for (unsigned round = 0; round < 3; ++round)
    for (unsigned n = 0; n < 3000; ++n)
      for (int twice = 0; twice < 2; ++twice, ++given) count(repeats.add({Instant{1s}, failed_dial(n)}, false));
  count(repeats.close(kNever));
  CHECK(told == given);
}

namespace {

std::string read_all(int fd) {
  std::string out;
  char chunk[4096];
  for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) > 0;) out.append(chunk, static_cast<std::size_t>(n));
  return out;
}

struct Pipe {
  Pipe() { REQUIRE(pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    for (const int end : ends)
      if (end >= 0) close(end);
  }
  void close_end(int i) {
    close(ends[i]);
    ends[i] = -1;
  }
  int ends[2] = {-1, -1};
};

}  // namespace

TEST_CASE("lines from several threads arrive whole, and all of them before the end") {
  Pipe pipe;
  std::string read;
  std::thread reader{[&] { read = read_all(pipe.ends[0]); }};
  {
    LineQueue queue{pipe.ends[1], 100'000};
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t)
      writers.emplace_back([&queue, t] {
        for (int i = 0; i < 1000; ++i) queue.push(std::string(50, static_cast<char>('a' + t)) + "\n");
      });
    for (auto& writer : writers) writer.join();
  }
  pipe.close_end(1);
  reader.join();
  CHECK(read.size() == 4 * 1000 * 51);
  for (std::size_t at = 0; at < read.size(); at += 51) {
    const std::string_view line = std::string_view{read}.substr(at, 51);
    REQUIRE(line == std::string(50, line[0]) + "\n");
  }
}

TEST_CASE("a pipe that nobody reads holds nobody up, and what was lost is counted") {
  Pipe pipe;
  REQUIRE(fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK) == 0);
  const std::string filler(4096, '.');
  std::size_t filled = 0;
  for (ssize_t n; (n = write(pipe.ends[1], filler.data(), filler.size())) > 0;) filled += static_cast<std::size_t>(n);
  REQUIRE(fcntl(pipe.ends[1], F_SETFL, 0) == 0);

  const auto start = std::chrono::steady_clock::now();
  {
    LineQueue queue{pipe.ends[1], 64};
    for (int i = 0; i < 5000; ++i) queue.push("line\n");
    CHECK(std::chrono::steady_clock::now() - start < 1s);
    CHECK(queue.dropped() >= 5000 - 64 - 1);  // the rest are in the queue, and one in the writer's hands
  }
  CHECK(std::chrono::steady_clock::now() - start < LineQueue::kGoodbye + 2s);
  pipe.close_end(1);
  CHECK(read_all(pipe.ends[0]).size() == filled);
}

TEST_CASE("a pipe whose reader has gone does not end the process") {
  Pipe pipe;
  pipe.close_end(0);
  LineQueue queue{pipe.ends[1]};
  queue.push("line\n");
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (queue.dropped() == 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(queue.dropped() == 1);
}

TEST_CASE("a full disk loses lines and stops nothing") {
  const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  LineQueue queue{fd};
  for (int i = 0; i < 10; ++i) queue.push("line\n");
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (queue.dropped() < 10 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(queue.dropped() == 10);
  close(fd);
}
