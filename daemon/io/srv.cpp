#include "io/srv.hpp"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

namespace pw::io {
namespace {

constexpr std::size_t kLargestAnswer = 65535;  // what DNS over TCP carries
constexpr int kSeconds = 3;                    // for an answer of one server
constexpr int kTries = 2;
constexpr std::string_view kPrefix = "id=";

/// Calls `each` with the answers of that type; false: it is no message.
template <class Each>
bool for_answers(ByteView message, int type, Each each) {
  ns_msg parsed{};
  if (ns_initparse(message.data(), static_cast<int>(message.size()), &parsed) != 0) return false;
  for (int i = 0; i < ns_msg_count(parsed, ns_s_an); ++i) {
    ns_rr record{};
    if (ns_parserr(&parsed, ns_s_an, i, &record) != 0) return false;
    if (ns_rr_type(record) == type && ns_rr_class(record) == ns_c_in) each(parsed, record);
  }
  return true;
}

std::string without_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

void shorten(std::optional<Duration>& ttl, const ns_rr& record) {
  const Duration of_this = std::chrono::seconds{ns_rr_ttl(record)};
  ttl = ttl ? std::min(*ttl, of_this) : of_this;
}

/// One resolver's state, with its configuration and sockets.
class Queries {
 public:
  Queries() : good_{res_ninit(&state_) == 0} {
    state_.retrans = kSeconds;
    state_.retry = kTries;
  }
  ~Queries() {
    if (good_) res_nclose(&state_);
  }
  Queries(const Queries&) = delete;
  Queries& operator=(const Queries&) = delete;

  Result<Buffer> ask(const std::string& name, int type) {
    if (!good_) return fail("the resolver's configuration can't be read");
    Buffer answer(kLargestAnswer);
    const int size = res_nquery(&state_, name.c_str(), ns_c_in, type, answer.data(), static_cast<int>(answer.size()));
    if (size < 0) return fail(hstrerror(state_.res_h_errno));
    answer.resize(std::min<std::size_t>(answer.size(), static_cast<std::size_t>(size)));
    return answer;
  }

 private:
  struct __res_state state_ {};
  bool good_;
};

}  // namespace

Result<SrvAnswer> parse_srv(ByteView message) {
  SrvAnswer out;
  std::optional<Duration> ttl;
  const bool read = for_answers(message, ns_t_srv, [&](const ns_msg& whole, const ns_rr& record) {
    shorten(ttl, record);
    constexpr std::size_t kFixed = 6;  // priority, weight, port
    if (ns_rr_rdlen(record) <= kFixed) return;
    ByteReader fixed{ByteView{ns_rr_rdata(record), kFixed}};
    const std::uint16_t priority = fixed.u16();
    fixed.u16();
    const std::uint16_t port = fixed.u16();
    std::array<char, NS_MAXDNAME> target{};
    if (dn_expand(ns_msg_base(whole), ns_msg_end(whole), ns_rr_rdata(record) + kFixed, target.data(), target.size()) < 0) return;
    const std::string host = without_dot(target.data());
    if (!host.empty() && port != 0) out.targets.push_back({priority, {host, port}});
  });
  if (!read) return fail("the answer is no message of DNS");
  std::ranges::stable_sort(out.targets, {}, &SrvTarget::priority);
  out.ttl = ttl.value_or(Duration{});
  return out;
}

Result<TxtAnswer> parse_txt(ByteView message) {
  TxtAnswer out;
  std::optional<Duration> ttl;
  const bool read = for_answers(message, ns_t_txt, [&](const ns_msg&, const ns_rr& record) {
    shorten(ttl, record);
    std::string text;
    for (ByteReader data{ByteView{ns_rr_rdata(record), static_cast<std::size_t>(ns_rr_rdlen(record))}}; data.ok() && data.remaining() > 0;) {
      const ByteView piece = data.bytes(data.u8());
      text += as_text(piece);
    }
    out.texts.push_back(std::move(text));
  });
  if (!read) return fail("the answer is no message of DNS");
  out.ttl = ttl.value_or(Duration{});
  return out;
}

Result<PeerId> id_of(const std::vector<std::string>& texts) {
  std::optional<PeerId> found;
  for (const std::string& text : texts) {
    if (!text.starts_with(kPrefix)) continue;
    const auto id = PeerId::parse(std::string_view{text}.substr(kPrefix.size()));
    if (!id) return fail("its TXT record names no peer id");
    if (found && *found != *id) return fail("its TXT records name different peer ids");
    found = *id;
  }
  if (!found) return fail("it has no TXT record \"id=PEERID\"");
  return *found;
}

Result<FoundPeers> find_peers(const std::string& name) {
  Queries queries;
  const auto bytes = queries.ask(name, ns_t_srv);
  if (!bytes) return tl::unexpected{bytes.error()};
  auto answer = parse_srv(*bytes);
  if (!answer) return tl::unexpected{answer.error()};
  FoundPeers out;
  out.ttl = answer->ttl;
  if (answer->targets.size() > kMostTargets) {
    out.problems.push_back("more than " + std::to_string(kMostTargets) + " targets");
    answer->targets.resize(kMostTargets);
  }
  std::map<std::string, Result<PeerId>> ids;  // one host may have several ports
  for (const SrvTarget& target : answer->targets) {
    auto known = ids.find(target.at.host);
    if (known == ids.end()) {
      Result<PeerId> id = fail("");
      if (const auto texts = queries.ask(target.at.host, ns_t_txt); !texts) {
        out.complete = false;
        id = tl::unexpected{texts.error()};
      } else if (const auto parsed = parse_txt(*texts); !parsed) {
        id = tl::unexpected{parsed.error()};
      } else {
        out.ttl = std::min(out.ttl, parsed->ttl);
        id = id_of(parsed->texts);
      }
      if (!id) out.problems.push_back(target.at.host + ": " + id.error().detail);
      known = ids.emplace(target.at.host, std::move(id)).first;
    }
    if (!known->second) continue;
    const auto peer = std::ranges::find(out.peers, *known->second, &FoundPeer::id);
    if (peer == out.peers.end())
      out.peers.push_back({*known->second, {target.at}});
    else
      peer->addresses.push_back(target.at);
  }
  return out;
}

}  // namespace pw::io
