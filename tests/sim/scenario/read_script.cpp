// [[do]] and [[expect]] as they are written.
#include "config/codec.hpp"
#include "sim/scenario/load.hpp"
#include "sim/scenario/read_link.hpp"

namespace pw::sim::scenario {

using config::Raw;

namespace {

constexpr double kRttWithin = 0.1;    // a share
constexpr double kLossWithin = 0.03;  // absolute

config::Codec<Duration> instant() { return config::duration(0s, kLongest); }

std::string list_of_names() {
  std::string out;
  for (const std::string_view n : names(Seen{})) out.append(out.empty() ? "" : ", ").append(n);
  return out;
}

Do read_do(Fields& in, const Scenario& scenario) {
  Do out;
  in.require("at", instant(), out.at);
  if (!in.require("what", config::one_of<Act>(), out.what)) return out;  // which keys it has can't be told
  in.rename(in.where() + " " + std::string{name(out.what)});
  switch (out.what) {
    case Act::kill:
    case Act::start:
    case Act::stop:
    case Act::unplug:
    case Act::plug: in.require("host", a_name(), out.on); break;
    case Act::freeze:
      in.require("host", a_name(), out.on);
      in.require("for", config::duration(1ms, kLongest), out.lasts);
      break;
    case Act::link: {
      in.require("from", a_name(), out.on);
      in.require("to", a_name(), out.to);
      if (const Segment* segment = shared_segment(scenario, out.on, out.to)) out.set = segment->link;
      if (!in.has("set")) in.problem("has no set");
      read_link(in, "set", out.set);
      in.read("both", config::boolean(), out.both);
      break;
    }
    case Act::reboot:
      in.require("router", a_name(), out.on);
      in.read("for", instant(), out.lasts);
      break;
    case Act::addresses:
      if (in.has("host") == in.has("router")) in.problem("needs host or router, one of them");
      in.read("host", a_name(), out.on);
      in.read("router", a_name(), out.on);
      in.require("addresses", address_list(), out.addresses);
      break;
  }
  in.finish();
  return out;
}

void read_pair(Fields& in, const char* key, Expect& out) {
  std::vector<std::string> pair;
  if (!in.require(key, name_list(), pair)) return;
  if (pair.size() != 2) return in.problem(std::string{key} + " has " + std::to_string(pair.size()) + " names, not two");
  out.a = pair[0];
  out.b = pair[1];
}

void read_nat_expectation(Fields& in, Expect& out) {
  const Raw* raw = in.raw("nat");
  if (std::holds_alternative<std::string>(raw->value)) {
    const bool good = in.read("nat", config::one_of<Translation>(), out.nat);
    if (good && out.nat == Translation::translated) in.problem("nat = \"translated\" says too little: {mapping, filtering}");
  } else {
    Fields nat{*raw, in.path("nat"), in.problems()};
    net::Dependence value{};
    if (nat.read("mapping", config::one_of<net::Dependence>(), value)) out.mapping = value;
    if (nat.read("filtering", config::one_of<net::Dependence>(), value)) out.filtering = value;
    if (nat.is_table() && !nat.has("mapping") && !nat.has("filtering")) nat.problem("needs mapping, filtering or both");
    nat.finish();
  }
  in.require("behind", a_name(), out.a);
  in.require("server", a_name(), out.b);
}

Expect read_expect(Fields& in, bool& after_given) {
  Expect out;
  unsigned kinds = 0;
  for (const std::string_view n : names(Seen{}))
    if (in.has(std::string{n}.c_str())) {
      ++kinds;
      out.what = *from_name<Seen>(n);
    }
  if (kinds != 1) {
    in.problem("expects one of " + list_of_names() + ", not " + (kinds == 0 ? "none" : "several"));
    return out;
  }
  in.rename(in.where() + " " + std::string{name(out.what)});
  Duration instant_value{};
  if (in.read("at", instant(), instant_value)) out.at = instant_value;
  switch (out.what) {
    case Seen::connected:
    case Seen::disconnected:
      read_pair(in, std::string{name(out.what)}.c_str(), out);
      if (in.has("at") == in.has("by")) in.problem("needs at or by, one of them");
      if (in.read("by", instant(), instant_value)) out.by = instant_value;
      if (in.has("by")) after_given = in.read("after", instant(), out.after);
      break;
    case Seen::rtt:
      in.require("rtt", config::duration(1us, 1h), out.rtt);
      out.within = kRttWithin;
      break;
    case Seen::loss:
      in.require("loss", number(0, 1), out.loss);
      out.within = kLossWithin;
      break;
    case Seen::nat: read_nat_expectation(in, out); break;
  }
  if (out.what == Seen::rtt || out.what == Seen::loss) {
    read_pair(in, "pair", out);
    in.read("within", number(0, 1), out.within);
  }
  if (out.what != Seen::connected && out.what != Seen::disconnected && !in.has("at")) in.problem("has no at");
  in.finish();
  return out;
}

}  // namespace

void read_script(Fields& file, Draft& draft) {
  std::size_t n = 0;
  for (const Raw* raw : file.tables("do", false)) {
    Fields in{*raw, "[[do]] " + std::to_string(n++), file.problems()};
    draft.scenario.dos.push_back(read_do(in, draft.scenario));
    draft.places.dos.push_back({in.place(), in.where()});
  }
  n = 0;
  for (const Raw* raw : file.tables("expect", false)) {
    Fields in{*raw, "[[expect]] " + std::to_string(n++), file.problems()};
    bool after_given = false;
    draft.scenario.expects.push_back(read_expect(in, after_given));
    draft.places.expects.push_back({in.place(), in.where()});
    draft.after_given.push_back(after_given);
  }
}

}  // namespace pw::sim::scenario
