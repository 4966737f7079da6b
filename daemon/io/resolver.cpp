#include "io/resolver.hpp"

#include <netdb.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "io/sockaddr.hpp"

namespace pw::io {

Resolver::Answer look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) return fail(error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error));
  std::vector<IpAddress> out;
  for (const addrinfo* a = list; a != nullptr && out.size() < Resolver::kAddresses; a = a->ai_next) {
    if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, a->ai_addr, std::min<std::size_t>(a->ai_addrlen, sizeof storage));
    const IpAddress ip = from_sockaddr(storage).ip;
    if (std::ranges::find(out, ip) == out.end()) out.push_back(ip);
  }
  freeaddrinfo(list);
  if (out.empty()) return fail("the name has no IPv4 or IPv6 address");
  return out;
}

struct Resolver::State {
  State(Deliver d, Lookup l) : deliver{std::move(d)}, lookup{std::move(l)} {}

  const Deliver deliver;
  const Lookup lookup;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable quiet;
  std::deque<std::pair<std::uint64_t, std::string>> waiting;
  std::size_t threads = 0;
  std::size_t idle = 0;
  std::size_t looking_up = 0;
  bool stopping = false;

  void work() {
    std::unique_lock lock{mutex};
    for (;;) {
      ++idle;
      wake.wait(lock, [&] { return stopping || !waiting.empty(); });
      --idle;
      if (stopping) break;
      auto [id, host] = std::move(waiting.front());
      waiting.pop_front();
      ++looking_up;
      lock.unlock();
      Answer answer = lookup(host);
      lock.lock();
      --looking_up;
      // Delivering under the lock is what lets the destructor promise that nothing comes after it. The receiver only
      // queues.
      if (!stopping) deliver(id, std::move(answer));
    }
    --threads;
    quiet.notify_all();
  }
};

Resolver::Resolver(Deliver deliver) : Resolver{std::move(deliver), look_up} {}
Resolver::Resolver(Deliver deliver, Lookup lookup)
    : state_{std::make_shared<State>(std::move(deliver), std::move(lookup))} {}

Resolver::~Resolver() {
  std::unique_lock lock{state_->mutex};
  state_->stopping = true;
  state_->wake.notify_all();
  // Threads inside the C library can't be interrupted; they keep the state alive and end by themselves.
  state_->quiet.wait(lock, [&] { return state_->threads == state_->looking_up; });
}

void Resolver::resolve(std::uint64_t id, const std::string& host) {
  if (auto ip = IpAddress::parse(host)) return state_->deliver(id, std::vector{*ip});
  std::unique_lock lock{state_->mutex};
  if (state_->waiting.size() >= kWaiting) {
    lock.unlock();
    return state_->deliver(id, fail("too many look-ups are waiting"));
  }
  state_->waiting.emplace_back(id, host);
  if (state_->idle < state_->waiting.size() && state_->threads < kConcurrent) {
    try {
      std::thread{[state = state_] { state->work(); }}.detach();
      ++state_->threads;
    } catch (const std::system_error& error) {
      if (state_->threads == 0) {
        state_->waiting.pop_back();
        lock.unlock();
        return state_->deliver(id, fail(std::string{"can't start a thread for look-ups: "} + error.what()));
      }
    }
  }
  state_->wake.notify_one();
}

}  // namespace pw::io
