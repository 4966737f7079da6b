#include "http/event_feed.hpp"

#include <catch2/catch_test_macros.hpp>

#include "fake_backend.hpp"

using namespace pw;
using namespace pw::http;
using namespace pw::http::test;

namespace {
std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}
StreamStart after(std::uint64_t seq) {
  StreamStart start;
  start.resumes = true;
  start.after = seq;
  return start;
}
}  // namespace

TEST_CASE("a feed sends each event once, with its number, type and JSON") {
  observe::RecentEvents recent;
  add_events(recent, 1, 3);
  EventFeed feed{after(1), recent};
  const auto piece = feed.next();
  CHECK(piece.text.starts_with("retry: 2000\n\nid: 2\nevent: state_changed\ndata: {"));
  CHECK(piece.events == 2);
  CHECK(feed.next().text.empty());
  add_events(recent, 4, 1);
  CHECK(feed.pending() == 1);
  CHECK(feed.next().text.starts_with("id: 4\n"));
}

TEST_CASE("a long backlog comes in bounded pieces, complete") {
  observe::RecentEvents recent;
  add_events(recent, 1, 1000);
  EventFeed feed{after(0), recent};
  std::size_t events = 0, pieces = 0;
  for (auto piece = feed.next(); !piece.text.empty(); piece = feed.next(), ++pieces) {
    CHECK(piece.events <= EventFeed::kMaxEntries);
    events += count(piece.text, "\nid: ") + (piece.text.starts_with("id: ") ? 1 : 0);
  }
  CHECK(events == 1000);
  CHECK(pieces == 4);
}

TEST_CASE("a filter hides the rest without stopping the feed") {
  observe::RecentEvents recent;
  StreamStart start = after(0);
  start.peer = peer_id(1);
  EventFeed feed{start, recent};
  CHECK(feed.next().events == 0);
  add_events(recent, 1, 10);
  CHECK(feed.next().events == 5);
  add_events(recent, 11, 1);  // the other peer's
  CHECK(feed.next().events == 0);
  CHECK(feed.pending() == 0);
}

TEST_CASE("who comes back too late is told what is missing") {
  observe::RecentEvents recent{10};
  add_events(recent, 1, 30);
  const std::string text = EventFeed{after(5), recent}.next().text;
  CHECK(text.find("event: missed\ndata: {\"at_most\":15}\n\n") != std::string::npos);
  CHECK(count(text, "id: ") == 10);
  CHECK(EventFeed{after(20), recent}.next().text.find("missed") == std::string::npos);
}

TEST_CASE("who comes back with a number of an earlier daemon gets everything") {
  observe::RecentEvents recent;
  add_events(recent, 1, 3);
  const auto piece = EventFeed{after(1000), recent}.next();
  CHECK(piece.text.find("data: {\"at_most\":null}") != std::string::npos);
  CHECK(piece.events == 3);
}

TEST_CASE("a live reader that the ring ran over has lost events, and they are counted") {
  observe::RecentEvents recent{10};
  add_events(recent, 1, 10);
  EventFeed feed{after(8), recent};
  CHECK(feed.next().events == 2);
  add_events(recent, 11, 25);
  CHECK(feed.next().lost == 15);
}

TEST_CASE("gaps in the numbers are no loss") {
  observe::RecentEvents recent{10};
  EventFeed feed{StreamStart{}, recent};
  CHECK(feed.next().events == 0);
  add_events(recent, 7, 2);
  CHECK(feed.next().events == 2);
  add_events(recent, 50, 2);
  const auto piece = feed.next();
  CHECK(piece.lost == 0);
  CHECK(piece.events == 2);
}
