#include "functional/wire/carrier.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <queue>

namespace pw::lab {
namespace {

tl::unexpected<Error> failed(const char* what) { return fail(std::string{what} + ": " + std::strerror(errno)); }

}  // namespace

Carrier::Carrier(net::Net& net, const Timeline& timeline, std::vector<std::unique_ptr<Port>>& ports, Command command,
                 Report report)
    : net_{net}, timeline_{timeline}, ports_{ports}, command_{std::move(command)}, report_{std::move(report)} {}

Status Carrier::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return failed("epoll");
  return {};
}

Status Carrier::prepare() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) ::sigaddset(&signals, signal);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return failed("signals");
  signals_ = io::Fd{::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC)};
  timer_ = io::Fd{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
  epoll_ = io::Fd{::epoll_create1(EPOLL_CLOEXEC)};
  if (!signals_ || !timer_ || !epoll_) return failed("epoll, a timer or signals");
  for (int fd : {signals_.get(), timer_.get()})
    if (const auto done = watch(fd); !done) return done;
  for (const auto& port : ports_)
    if (const auto done = watch(port->fd()); !done) return done;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = STDIN_FILENO;
  // A file, or nothing, as standard input can't be waited for: then there are no commands.
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0 && errno != EPERM && errno != EBADF)
    return failed("standard input");
  return {};
}

Status Carrier::run() {
  if (const auto done = prepare(); !done) return done;
  for (const auto& port : ports_) port->ask();
  say("ready");
  while (true) {
    sleep_until_due();
    std::array<epoll_event, 64> events{};
    const int n = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    if (n < 0 && errno != EINTR) return failed("epoll");
    carry();
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const int fd = event.data.fd;
      if ((event.events & EPOLLERR) != 0)
        for (const auto& port : ports_)
          if (port->fd() == fd) port->hear_complaint();
      if (fd == STDIN_FILENO && !handle_commands()) return {};
      if (fd == signals_.get() && !handle_signals()) return {};
    }
  }
}

void Carrier::carry() {
  take_frames();
  net_.run_until(std::max(net_.now(), timeline_.now()));
  for (const auto& port : ports_) port->flush();
}

/// Frames of all cables in the order in which they came, each at the time when it came: to be read late does not make a
/// way longer.
void Carrier::take_frames() {
  using Waiting = std::pair<Duration, std::size_t>;
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> order;
  for (std::size_t i = 0; i < ports_.size(); ++i)
    if (const auto at = ports_[i]->waiting_since()) order.emplace(*at, i);
  const Instant now = timeline_.now();
  const Duration to_monotonic = monotonic() - realtime();
  for (std::size_t n = 0; n < kMostFrames && !order.empty(); ++n) {
    const auto [at, i] = order.top();
    order.pop();
    const Instant then = std::min(now, timeline_.to_net(at + to_monotonic));
    net_.run_until(std::max(net_.now(), then));
    ports_[i]->take();
    if (const auto next = ports_[i]->waiting_since()) order.emplace(*next, i);
  }
}

void Carrier::sleep_until_due() {
  const Instant due = net_.poll_timeout();
  if (due == armed_) return;
  itimerspec when{};
  if (due != kNever) {
    // A time of zero would switch it off; one that has passed rings at once.
    const auto clock = std::max<std::int64_t>(timeline_.to_clock(due).count(), 1);
    when.it_value.tv_sec = clock / 1'000'000'000;
    when.it_value.tv_nsec = clock % 1'000'000'000;
  }
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0) armed_ = due;
}

bool Carrier::handle_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    say(report_());
    if (signal.ssi_signo != SIGUSR1) return false;
  }
  return true;
}

bool Carrier::handle_commands() {
  std::array<char, 4096> bytes{};
  const auto n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (n <= 0) {  // whoever gave commands is gone: nobody needs this network any more
    say(report_());
    return false;
  }
  line_.append(bytes.data(), static_cast<std::size_t>(n));
  for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
    say(command_(line_.substr(0, end)));
    line_.erase(0, end + 1);
  }
  if (line_.size() > kLongestLine) {
    line_.clear();
    say("error a line of more than " + std::to_string(kLongestLine) + " bytes");
  }
  return true;
}

void Carrier::say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace pw::lab
