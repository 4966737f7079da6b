#include "app/discovery.hpp"

#include <algorithm>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>

#include "config/files.hpp"
#include "config/keys.hpp"
#include "config/peers_file.hpp"

namespace pw::app {

using event::DiscoveryMethod;

/// Outlives the daemon where a name server keeps its thread waiting.
struct Discovery::Query {
  std::mutex mutex;
  std::optional<Result<io::FoundPeers>> answer;
};

void Discovery::configure(Instant now, const config::Config::Discovery& settings) {
  const auto before = std::exchange(settings_, settings);
  if (settings.file != before.file) {
    changed_ = changed_ || !of_file_.empty();
    of_file_.clear();
    watch_.reset();
    watch_at_ = kNever;
    if (!settings.file.empty()) watch(now);
  }
  told_of_file_.clear();
  if (!settings.file.empty()) changed_ = read_file(now) || changed_;
  if (settings.dns == before.dns) return;
  changed_ = changed_ || !of_dns_.empty();
  of_dns_.clear();
  query_.reset();
  told_of_dns_.clear();
  pause_ = kShortest;
  ask_at_ = settings.dns.empty() ? kNever : now;
}

bool Discovery::tick(Instant now) {
  bool changed = std::exchange(changed_, false);
  const bool again = now >= watch_at_;
  if (again) watch(now);
  if ((watch_ && watch_->take()) || again) changed = read_file(now) || changed;
  if (watch_ && watch_->gone()) {
    watch_.reset();
    watch_at_ = now + kWatchAgain;
  }
  return ask_dns(now) || changed;
}

// ---- the file

void Discovery::watch(Instant now) {
  watch_at_ = kNever;
  auto opened = io::FileWatch::open(settings_.file);
  if (opened)
    watch_.emplace(std::move(*opened));
  else
    watch_at_ = now + kWatchAgain;  // reading it says what is wrong
}

bool Discovery::read_file(Instant) {
  auto file = config::load_peers(settings_.file, config::SystemFiles{});
  if (!file.ok()) {
    const std::size_t more = file.problems.size() - 1;
    complain(DiscoveryMethod::file, told_of_file_,
             file.problems.front().to_string() + (more == 0 ? "" : "; and " + std::to_string(more) + " more"));
    return false;
  }
  told_of_file_.clear();
  return std::exchange(of_file_, std::move(file.peers)) != of_file_;
}

void Discovery::complain(DiscoveryMethod method, std::string& told, const std::string& detail) {
  if (std::exchange(told, detail) == detail) return;
  tell_(event::DiscoveryFailed{PeerId{}, method, method == DiscoveryMethod::file ? settings_.file : settings_.dns, detail});
}

// ---- DNS

bool Discovery::ask_dns(Instant now) {
  if (query_) {
    std::optional<Result<io::FoundPeers>> answer;
    {
      const std::scoped_lock lock{query_->mutex};
      answer.swap(query_->answer);
    }
    if (!answer) return false;
    query_.reset();
    return take(now, *answer);
  }
  if (now < ask_at_) return false;
  ask_at_ = kNever;
  query_ = std::make_shared<Query>();
  try {
    std::thread{[query = query_, find = find_, name = settings_.dns] {
      auto answer = find(name);
      const std::scoped_lock lock{query->mutex};
      query->answer = std::move(answer);
    }}.detach();
  } catch (const std::system_error& error) {
    query_.reset();
    return take(now, fail(std::string{"can't start a thread for it: "} + error.what()));
  }
  return false;
}

bool Discovery::take(Instant now, const Result<io::FoundPeers>& found) {
  if (!found) {
    complain(DiscoveryMethod::dns, told_of_dns_, found.error().detail);
    ask_at_ = now + pause_;
    pause_ = std::min(2 * pause_, kLongest);
    return false;
  }
  pause_ = kShortest;
  ask_at_ = now + std::clamp(found->ttl, kShortest, kLongest);
  if (found->problems.empty())
    told_of_dns_.clear();
  else
    complain(DiscoveryMethod::dns, told_of_dns_, found->problems.front());
  std::vector<io::FoundPeer> peers = found->peers;
  if (!found->complete)  // those that could not be asked about are not gone
    for (const io::FoundPeer& known : of_dns_)
      if (std::ranges::find(peers, known.id, &io::FoundPeer::id) == peers.end()) peers.push_back(known);
  return std::exchange(of_dns_, std::move(peers)) != of_dns_;
}

// ---- what it comes to

void Discovery::add_to(peer::Membership& membership) const {
  std::unordered_set<PeerId> known;
  for (const event::PeerSpec& peer : membership.peers) known.insert(peer.id);
  const auto add = [&](event::PeerSpec spec, DiscoveryMethod method) {
    if (membership.peers.size() >= config::kMostPeers || !known.insert(spec.id).second) return;
    membership.discovered.emplace(spec.id, method);
    membership.peers.push_back(std::move(spec));
  };
  for (const config::Peer& peer : of_file_) add({peer.id, peer.name, peer.always_label, peer.addresses}, DiscoveryMethod::file);
  for (const io::FoundPeer& peer : of_dns_) {
    const auto listed = std::ranges::find(membership.peers, peer.id, &event::PeerSpec::id);
    if (listed != membership.peers.end()) {
      if (listed->addresses.empty()) listed->addresses = peer.addresses;
    } else if (membership.admission == peer::AdmissionMode::secret) {
      add({peer.id, {}, false, peer.addresses}, DiscoveryMethod::dns);
    }
  }
}

}  // namespace pw::app
