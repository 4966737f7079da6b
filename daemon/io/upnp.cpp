#include "io/upnp.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace pw::io {
namespace {

struct Job {
  std::uint64_t id = 0;
  UpnpWish wish;
  bool unmap = false;
};

}  // namespace

struct Upnp::State : std::enable_shared_from_this<State> {
  State(Deliver d, Work w, Duration l) : deliver{std::move(d)}, work{std::move(w)}, limit{l} {}

  const Deliver deliver;
  const Work work;
  const Duration limit;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> waiting;
  std::string seen;      // belongs to the job that is at work
  bool running = false;  // a thread works through `waiting`
  bool at_work = false;  // a job is; perhaps one that outlived its limit
  bool stopping = false;
  int unmapping = 0;  // of what waits or is at work

  // All below under the lock: that is what lets the destructor promise that nothing comes after it. The receiver only
  // queues.
  void tell(const Job& job, const UpnpAnswer& answer) {
    if (job.unmap)
      --unmapping;
    else if (!stopping)
      deliver(job.id, answer);
    changed.notify_all();
  }

  void work_off(std::unique_lock<std::mutex>& lock) {
    while (!waiting.empty()) {
      const Job job = waiting.front();
      waiting.pop_front();
      tell(job, attempt(lock, job));
    }
    running = false;
  }

  /// The job on a thread that may never come back.
  UpnpAnswer attempt(std::unique_lock<std::mutex>& lock, const Job& job) {
    if (at_work) return {.code = UpnpAnswer::kFailed};
    const auto answer = std::make_shared<std::optional<UpnpAnswer>>();
    at_work = true;
    const bool started = start([self = shared_from_this(), job, answer] {
      UpnpAnswer got;
      if (job.unmap)
        self->work.unmap(job.wish, self->seen);
      else
        got = self->work.map(job.wish, self->seen);
      const std::scoped_lock done{self->mutex};
      *answer = got;
      self->at_work = false;
      self->changed.notify_all();
    });
    if (!started) at_work = false;
    if (!started || !changed.wait_for(lock, limit, [&] { return answer->has_value(); }))
      return {.code = UpnpAnswer::kFailed};
    return **answer;
  }

  template <class Body>
  static bool start(Body body) {
    try {
      std::thread{std::move(body)}.detach();
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }
};

Upnp::Upnp(Deliver deliver) : Upnp{std::move(deliver), {upnp_map, upnp_unmap}, kTimeLimit} {}
Upnp::Upnp(Deliver deliver, Work work, Duration time_limit)
    : state_{std::make_shared<State>(std::move(deliver), std::move(work), time_limit)} {}

Upnp::~Upnp() {
  std::unique_lock lock{state_->mutex};
  state_->stopping = true;
  state_->changed.wait_for(lock, kGoodbye, [&] { return state_->unmapping == 0; });
  state_->waiting.clear();
}

void Upnp::map(std::uint64_t id, const UpnpWish& wish) { add(id, wish, false); }
void Upnp::unmap(const UpnpWish& wish) { add(0, wish, true); }

void Upnp::add(std::uint64_t id, const UpnpWish& wish, bool unmap) {
  const Job job{id, wish, unmap};
  std::unique_lock lock{state_->mutex};
  if (unmap) ++state_->unmapping;
  if (state_->waiting.size() >= kWaiting) return state_->tell(job, {.code = UpnpAnswer::kFailed});
  state_->waiting.push_back(job);
  if (state_->running) return;
  state_->running = State::start([state = state_] {
    std::unique_lock inner{state->mutex};
    state->work_off(inner);
  });
  if (!state_->running) {
    state_->waiting.pop_back();
    state_->tell(job, {.code = UpnpAnswer::kFailed});
  }
}

}  // namespace pw::io
