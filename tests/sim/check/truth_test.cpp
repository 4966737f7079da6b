#include "sim/check/truth.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sim/check/tampered.hpp"
#include "sim/checks.hpp"
#include "wire/demux.hpp"

using namespace pw;
using namespace pw::sim;

namespace {

std::unique_ptr<Checker> truth(const World&, const Ground& g) { return std::make_unique<Truth>(g); }

/// Serves one sample of a name as one more than it is, the first or the last, from when it is told to.
struct OffByOne {
  std::string name;
  bool last = false;
  bool lies = false;

  std::string operator()(const observe::MetricsSnapshot& metrics) const {
    std::string text = Truth::as_text(metrics);
    if (!lies) return text;
    const std::size_t at = last ? text.rfind('\n' + name) : text.find('\n' + name);
    REQUIRE(at != std::string::npos);
    const std::size_t end = text.find('\n', at + 1);
    const std::size_t space = text.rfind(' ', end);
    const double value = std::stod(text.substr(space + 1, end - space - 1));
    return text.replace(space + 1, end - space - 1, std::to_string(value + 1));
  }
};

template <class Tamper>
std::string complaint(Tamper tamper) {
  TamperedPair p{truth};
  p.run(30s);
  CHECK(p.tales.complaint().empty());
  tamper(p);
  for (int i = 0; i < 4; ++i) p.run(10s);
  CHECK(p.w.verdict().empty());
  return p.tales.complaint();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the truth is told of a quiet session") {
  CHECK(complaint([](TamperedPair&) {}).empty());
}

TEST_CASE("a packet that is counted wrongly is complained of") {
  CHECK(has(complaint([](TamperedPair& p) {
          p.tales.on_sent = [&p](Instant at, const net::Machine& from, const net::Packet& packet) {
            if (packet.id % 2 != 0) p.tales.tell_sent(at, from, packet);  // as if the daemon counted some that never were
          };
        }),
        "packets of QUIC are told, but it was"));
}

TEST_CASE("a check that is counted twice, or that never came, is complained of") {
  CHECK(has(complaint([](TamperedPair& p) {
          p.tales.on_sent = [&p](Instant at, const net::Machine& from, const net::Packet& packet) {
            if (wire::classify(packet.payload) == wire::DatagramKind::quic) p.tales.tell_sent(at, from, packet);
          };
        }),
        "are told of"));
  CHECK(has(complaint([](TamperedPair& p) {
          p.tales.on_arrived = [&p](Instant at, const net::Machine& to, const net::Packet& packet) {
            if (packet.id % 2 != 0) p.tales.tell_arrived(at, to, packet);
          };
        }),
        "inbound are told of"));
  CHECK(has(complaint([](TamperedPair& p) {
          for (int i = 0; i < 1000; ++i)
            p.tales.tell(p.w.now(), p.a,
                         {p.w.now(), event::CheckRefused{p.b.id(), event::CheckRefusal::replayed, p.b.address()}});
        }),
        "were refused"));
}

TEST_CASE("a round trip shorter or longer than the way is complained of") {
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::ProbeMeasured>([](auto& e) { e.rtt = 19ms; });
        }),
        "though the way there takes"));
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::ProbeMeasured>([](auto& e) { e.rtt = 27ms; });
        }),
        "at most"));
}

TEST_CASE("an echo's round trip shorter or longer than the way is complained of") {
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::EchoMeasured>([](auto& e) { e.rtt = 110ms; });
        }),
        "at most"));
  CHECK(has(complaint([](TamperedPair& p) {
          p.w.link(p.a, p.b).delay = p.w.link(p.b, p.a).delay = 100ms;
          p.run(40s);
          p.bend<event::EchoMeasured>([](auto& e) { e.rtt = 100ms; });
        }),
        "though the way there takes"));
}

TEST_CASE("a window that filled while nobody answered explains a long echo, and no long probe") {
  CHECK(complaint([](TamperedPair& p) {
          p.w.freeze(p.b, 5s);
          p.run(6s);
          p.bend<event::EchoMeasured>([](auto& e) { e.rtt += 500ms; });
          p.run(6s);
          p.tales.on_event = {};
          p.run(20s);
        }).find("at most") == std::string::npos);
  CHECK(has(complaint([](TamperedPair& p) {
          p.w.freeze(p.b, 5s);
          p.run(6s);
          p.bend<event::ProbeMeasured>([](auto& e) { e.rtt += 500ms; });
          p.run(6s);
        }),
        "at most"));
}

TEST_CASE("a sample of a time when this machine did not run has to be suspect") {
  const auto freezes = [](TamperedPair& p) {
    for (int i = 0; i < 60; ++i) {
      p.run(std::chrono::milliseconds{1400 + 137 * i % 1000});  // not in step with its probes
      p.w.freeze(p.a, 400ms);
    }
  };
  CHECK(complaint(freezes).empty());
  CHECK(has(complaint([&](TamperedPair& p) {
          p.tales.on_event = [&p](Instant at, const Host& h, event::Record r) {
            auto* e = std::get_if<event::ProbeMeasured>(&r.event);
            if (e && &h == &p.a) e->suspect = false;  // b's are suspect because a held its probes for so long
            p.tales.tell(at, h, r);
          };
          freezes(p);
        }),
        "is not suspect"));
  CHECK(has(complaint([&](TamperedPair& p) {
          p.bend<event::EchoMeasured>([](auto& e) { e.suspect = false; });
          freezes(p);
        }),
        "is not suspect"));
}

TEST_CASE("a smoothed value that is not that of its samples is complained of") {
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::ProbeMeasured>([](auto& e) { e.rtt += 1us; });
        }),
        "the path's RTT is not that of its samples"));
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::EchoMeasured>([](auto& e) { e.rtt += 1us; });
        }),
        "the echo's RTT is not that of its samples"));
}

TEST_CASE("a probe that is called lost though every packet arrived is complained of") {
  CHECK(has(complaint([](auto& p) {
          p.template bend<event::ProbesAccounted>([](auto& e) { e.lost = e.expected; });
        }),
        "but no packet was"));
}

TEST_CASE("a packet that was refused and not told is complained of") {
  CHECK(has(complaint([](TamperedPair& p) {
          p.hide<event::PacketRejected>();
          p.w.inject(p.b.address(), p.a, Buffer(40, 0x21));
        }),
        "of a kind that is refused"));
}

TEST_CASE("a metric off by one is complained of") {
  for (const std::string_view name : Truth::kCounted)
    for (const bool last : {false, true}) {
      OffByOne served{std::string{name}, last};
      TamperedPair p{[&](const World&, const Ground& g) { return std::make_unique<Truth>(g, std::ref(served)); }};
      p.run(10s);
      CHECK(p.tales.complaint().empty());
      served.lies = true;
      p.run(10s);
      INFO(name);
      CHECK(p.complains_of(name));
      CHECK(p.complains_of("but it is"));
      CHECK(p.w.verdict().empty());
    }
}

TEST_CASE("small worlds with loss, jitter and deaths break no rule over many seeds") {
  for_every_seed([](std::uint64_t seed) -> std::string {
    if (seed > 100) return {};
    World w{seed};
    Rng rng = w.net.rng_for("test");
    for (int i = 0; i < 3; ++i) w.add("h" + std::to_string(i));
    w.default_link.loss = 0.2 * rng.unit();
    w.default_link.jitter = rng.up_to(30ms);
    w.introduce_all();
    w.start_all();
    for (int i = 0; i < 8; ++i) {
      w.run_for(rng.up_to(20s));
      Host& h = w.host(rng.below(3));
      if (h.running())
        h.kill();
      else
        h.start();
      if (auto wrong = w.verdict(); !wrong.empty()) return wrong;
    }
    return {};
  });
}
