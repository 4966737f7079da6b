// Whether what a scenario does and expects can be done and seen in its network.
#include <algorithm>
#include <map>
#include <numeric>

#include "base/nearest.hpp"
#include "sim/scenario/load.hpp"

namespace pw::sim::scenario {

using config::Problems;

namespace {

class Script {
 public:
  Script(const Draft& draft, Problems& problems)
      : s_{draft.scenario}, places_{draft.places}, after_given_{draft.after_given}, problems_{problems} {}

  void check() {
    for (std::size_t i = 0; i < s_.dos.size(); ++i) {
      at_ = &places_.dos[i];
      act(s_.dos[i]);
    }
    for (std::size_t i = 0; i < s_.expects.size(); ++i) {
      at_ = &places_.expects[i];
      expect(s_.expects[i], after_given_[i]);
    }
    running();
  }

 private:
  void problem(const std::string& what, const std::string& hint = {}) {
    problems_.add(at_->place, at_->where + ": " + what, hint);
  }
  template <class T>
  void unknown(const char* what, const std::string& name, const std::vector<T>& all) {
    std::vector<std::string> known;
    for (const T& one : all) known.push_back(one.name);
    const auto meant = nearest(name, known);
    problem(std::string{"there is no "} + what + " " + config::quoted(name),
            meant ? "did you mean " + config::quoted(*meant) + "?" : "");
  }
  const Host* host(const std::string& name) {
    const Host* found = s_.host(name);
    if (found == nullptr) unknown("host", name, s_.hosts);
    return found;
  }
  void daemon(const std::string& name) {
    const Host* found = host(name);
    if (found != nullptr && !found->peers) problem("host " + config::quoted(name) + " runs no daemon: it has no peers");
  }
  void router(const std::string& name) {
    if (s_.router(name) == nullptr) unknown("router", name, s_.routers);
  }

  void act(const Do& d) {
    switch (d.what) {
      case Act::kill:
      case Act::start:
      case Act::stop:
      case Act::freeze: return daemon(d.on);
      case Act::unplug:
      case Act::plug: host(d.on); return;
      case Act::reboot: return router(d.on);
      case Act::link: return link(d);
      case Act::addresses:
        if (s_.router(d.on) == nullptr && s_.host(d.on) == nullptr)
          problem("there is no host or router " + config::quoted(d.on));
        if (d.addresses.empty()) problem("addresses is empty");
        return;
    }
  }

  void link(const Do& d) {
    for (const std::string& end : {d.on, d.to})
      if (s_.host(end) == nullptr && s_.router(end) == nullptr)
        return problem("there is no host or router " + config::quoted(end));
    if (d.on == d.to) return problem("from and to are the same");
    if (shared_segment(s_, d.on, d.to) == nullptr)
      problem(config::quoted(d.on) + " and " + config::quoted(d.to) + " are on no segment together");
  }

  /// Nobody starts what runs, or ends what does not.
  void running() {
    std::vector<std::size_t> order(s_.dos.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [this](std::size_t i) { return s_.dos[i].at; });
    std::map<std::string, bool> runs;
    for (const Host& h : s_.hosts) runs[h.name] = h.peers && h.start;
    for (const std::size_t i : order) {
      const Do& d = s_.dos[i];
      const Host* of = s_.host(d.on);
      const bool about = d.what == Act::kill || d.what == Act::start || d.what == Act::stop || d.what == Act::freeze;
      if (!about || of == nullptr || !of->peers) continue;  // told already
      at_ = &places_.dos[i];
      bool& now = runs[d.on];
      if ((d.what == Act::start) == now)
        problem("the daemon of " + config::quoted(d.on) + (now ? " runs already then" : " does not run then"));
      now = d.what == Act::start || d.what == Act::freeze;
    }
  }

  void expect(const Expect& e, bool after_given) {
    if (e.what == Seen::nat) {
      host(e.a);
      const Host* server = host(e.b);
      if (server != nullptr && !server->serves_stun) problem("host " + config::quoted(e.b) + " serves no STUN");
      return;
    }
    daemon(e.a);
    daemon(e.b);
    if (e.by && after_given && e.after > *e.by) problem("after is later than by");
  }

  const Scenario& s_;
  const Places& places_;
  const std::vector<bool>& after_given_;
  Problems& problems_;
  const Places::At* at_ = nullptr;
};

}  // namespace

void check_script(const Draft& draft, Problems& problems) { Script{draft, problems}.check(); }

}  // namespace pw::sim::scenario
