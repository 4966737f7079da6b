// The whole program, each run in a child process, as a service manager would see it.
#include "app/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include "unit/app/scratch.hpp"

namespace pw::app {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::string read_file(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// A run of peerwatchd with its output in a file.
class Run {
 public:
  Run(const Scratch& scratch, const std::vector<std::string>& arguments,
      const std::vector<std::string>& environment = {})
      : output_{scratch.path + "/output"} {
    std::fflush(nullptr);  // or the child writes what the test runner has said so far
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ != 0) return;
    const int fd = open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    std::vector<const char*> argv{"peerwatchd"};
    for (const auto& a : arguments) argv.push_back(a.c_str());
    std::vector<const char*> envp;
    for (const auto& e : environment) {
      putenv(const_cast<char*>(e.c_str()));
      envp.push_back(e.c_str());
    }
    envp.push_back(nullptr);
    _exit(run_program(static_cast<int>(argv.size()), argv.data(), envp.data()));
  }
  ~Run() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }
  /// The exit code; 128 + number when a signal ended it; none while it runs.
  std::optional<int> wait(std::chrono::milliseconds within = 20s) {
    for (const auto end = Clock::now() + within; Clock::now() < end; std::this_thread::sleep_for(5ms)) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) != pid_) continue;
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return std::nullopt;
  }
  std::string output() const { return read_file(output_); }
  /// The log is written by a thread of its own.
  bool says(const std::string& word) const {
    for (int i = 0; i < 1000 && output().find(word) == std::string::npos; ++i) std::this_thread::sleep_for(5ms);
    return output().find(word) != std::string::npos;
  }
  std::ptrdiff_t lines() const {
    const std::string text = output();
    return std::ranges::count(text, '\n');
  }

 private:
  std::string output_;
  pid_t pid_ = -1;
};

/// The service manager's end of NOTIFY_SOCKET.
class Notified {
 public:
  explicit Notified(const Scratch& scratch) : path_{scratch.path + "/notify"}, fd_{socket(AF_UNIX, SOCK_DGRAM, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Notified() { close(fd_); }
  Notified(const Notified&) = delete;
  Notified& operator=(const Notified&) = delete;

  std::string variable() const { return "NOTIFY_SOCKET=" + path_; }
  /// Reads until a message contains `word`.
  bool wait_for(const std::string& word, std::chrono::milliseconds within = 20s) {
    for (const auto end = Clock::now() + within; Clock::now() < end;) {
      pollfd p{fd_, POLLIN, 0};
      if (poll(&p, 1, 50) != 1) continue;
      char text[512];
      const ssize_t n = recv(fd_, text, sizeof text, 0);
      if (n > 0 && std::string(text, static_cast<std::size_t>(n)).find(word) != std::string::npos) return true;
    }
    return false;
  }

 private:
  std::string path_;
  int fd_;
};

TEST_CASE("questions are answered without a daemon") {
  const Scratch s;
  Run version{s, {"--version"}};
  CHECK(version.wait() == 0);
  CHECK_THAT(version.output(), Matches("peerwatchd [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  Run help{s, {"--help"}};
  CHECK(help.wait() == 0);
  CHECK_THAT(help.output(), ContainsSubstring("network.listen"));
}

TEST_CASE("an identity is made once and printed the same ever after") {
  const Scratch s;
  Run first{s, {"--identity", "--state-dir", s.path + "/state"}};
  CHECK(first.wait() == 0);
  const std::string id = first.output();
  CHECK_THAT(id, Matches("[a-z2-7]{52}\n"));
  Run second{s, {"--identity", "--state-dir", s.path + "/state"}};
  CHECK(second.wait() == 0);
  CHECK(second.output() == id);
  Run nowhere{s, {"--identity", "--state-dir", "/nonexistent/state"}};
  CHECK(nowhere.wait() == 2);
  CHECK(nowhere.lines() == 1);
}

TEST_CASE("a configuration is checked: 0, or 2 and one line a mistake") {
  const Scratch s;
  Run good{s, {"--check-config", s.file("good.toml", minimal_config(s, 1))}};
  CHECK(good.wait() == 0);
  const std::string bad_file = s.file("bad.toml", "[mesh]\nmax_sesions = 5\n[probe]\nrtt_interval = \"5 parsecs\"\n");
  Run bad{s, {"--check-config", bad_file}};
  CHECK(bad.wait() == 2);
  CHECK(bad.lines() == 2);
  CHECK_THAT(bad.output(), ContainsSubstring(bad_file + ":2:1: ") && ContainsSubstring("max_sessions"));
  Run running{s, {"--config", bad_file}};
  CHECK(running.wait() == 2);
  CHECK(running.lines() == 2);
}

TEST_CASE("the effective configuration has what environment and command line say") {
  const Scratch s;
  Run run{s,
          {"--print-config", "--config", s.file("a.toml", minimal_config(s, 1)), "--mesh.name", "from-option"},
          {"PEERWATCH_NODE_NAME=from-environment"}};
  CHECK(run.wait() == 0);
  CHECK_THAT(run.output(), ContainsSubstring("from-option") && ContainsSubstring("from-environment"));
}

TEST_CASE("a misspelt option ends with 2 and a hint") {
  const Scratch s;
  Run run{s, {"--confg", "x"}};
  CHECK(run.wait() == 2);
  CHECK(run.lines() == 1);
  CHECK_THAT(run.output(), ContainsSubstring("--config"));
}

TEST_CASE("what prevents a start is one line and exit code 2") {
  const Scratch s;
  const std::uint16_t port = free_port();
  const std::string file = s.file("a.toml", minimal_config(s, port));
  const auto complains_about = [&](const std::string& word) {
    Run run{s, {"--config", file}};
    CHECK(run.wait() == 2);
    CHECK(run.lines() == 1);
    CHECK_THAT(run.output(), ContainsSubstring(word));
  };
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    const int taken = socket(AF_INET, type, 0);
    REQUIRE(bind(taken, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    if (type == SOCK_STREAM) REQUIRE(listen(taken, 1) == 0);
    complains_about("in use");
    close(taken);
  }
  const std::string key = s.path + "/state/identity.key";  // the attempts above have made it
  REQUIRE(chmod(key.c_str(), 0644) == 0);
  complains_about(key);
  REQUIRE(chmod(key.c_str(), 0600) == 0);
  std::ofstream{key} << "no key\n";
  complains_about(key);
}

TEST_CASE("a service says that it is ready, that it lives, that it reloads and that it stops") {
  const Scratch s;
  Notified manager{s};
  const std::string file = s.file("a.toml", minimal_config(s, free_port()));
  Run run{s, {"--config", file}, {manager.variable(), "WATCHDOG_USEC=400000"}};
  REQUIRE(manager.wait_for("READY=1"));
  CHECK(std::filesystem::exists(s.path + "/control.sock"));
  CHECK(manager.wait_for("WATCHDOG=1", 2s));
  CHECK(manager.wait_for("WATCHDOG=1", 2s));

  run.signal(SIGHUP);
  CHECK(manager.wait_for("RELOADING=1"));
  CHECK(manager.wait_for("READY=1"));
  s.file("a.toml", "[mesh]\nmax_sesions = 5\n");
  run.signal(SIGHUP);
  CHECK(manager.wait_for("READY=1"));  // with the old configuration
  CHECK(run.says("max_sesions"));

  const auto before = Clock::now();
  run.signal(SIGTERM);
  CHECK(manager.wait_for("STOPPING=1"));
  CHECK(run.wait() == 0);
  CHECK(Clock::now() - before < 3s);
  CHECK_FALSE(std::filesystem::exists(s.path + "/control.sock"));
}

/// Holds one thread of a child, named `name`, while the others run on.
class HeldThread {
 public:
  HeldThread(pid_t process, const std::string& name) {
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    for (int i = 0; i < 1000 && id_ == 0; ++i, std::this_thread::sleep_for(5ms))  // a thread names itself
      for (const auto& task : std::filesystem::directory_iterator{tasks})
        if (read_file(task.path() / "comm") == name + "\n") id_ = std::stoi(task.path().filename());
    REQUIRE(id_ > 0);
    if (ptrace(PTRACE_SEIZE, id_, nullptr, nullptr) != 0) SKIP("tracing is not permitted here");
    REQUIRE(ptrace(PTRACE_INTERRUPT, id_, nullptr, nullptr) == 0);
    REQUIRE(waitpid(id_, nullptr, __WALL) == id_);
  }
  ~HeldThread() {
    // A thread that died meanwhile is its tracer's to bury, or its process never ends.
    if (ptrace(PTRACE_DETACH, id_, nullptr, nullptr) != 0) waitpid(id_, nullptr, __WALL);
  }
  HeldThread(const HeldThread&) = delete;
  HeldThread& operator=(const HeldThread&) = delete;

 private:
  pid_t id_ = 0;
};

TEST_CASE("the watchdog is fed by the network thread's progress, not by the supervisor's") {
  const Scratch s;
  Notified manager{s};
  Run run{
      s, {"--config", s.file("a.toml", minimal_config(s, free_port()))}, {manager.variable(), "WATCHDOG_USEC=400000"}};
  REQUIRE(manager.wait_for("WATCHDOG=1"));
  {
    const HeldThread held{run.pid(), "network"};
    while (manager.wait_for("WATCHDOG=1", 300ms)) {
    }
    run.signal(SIGHUP);
    CHECK(manager.wait_for("RELOADING=1"));  // the supervisor is awake
    CHECK(manager.wait_for("READY=1"));
    CHECK(run.says("not reloaded: the network thread does not answer"));
    CHECK_FALSE(manager.wait_for("WATCHDOG=1", 1s));
  }
  CHECK(manager.wait_for("WATCHDOG=1"));
  run.signal(SIGTERM);
  CHECK(run.wait() == 0);
}

// Ending without a thread that hangs is what the program is meant to do; the thread sanitizer would call it a leak.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "report_thread_leaks=0"; }

TEST_CASE("a network thread that hangs does not keep the program from ending") {
  const Scratch s;
  Notified manager{s};
  Run run{s, {"--config", s.file("a.toml", minimal_config(s, free_port()))}, {manager.variable()}};
  REQUIRE(manager.wait_for("READY=1"));
  {
    const HeldThread held{run.pid(), "network"};
    run.signal(SIGTERM);
    REQUIRE(manager.wait_for("STOPPING=1"));
    run.signal(SIGTERM);
    CHECK(run.says("the network thread does not end"));
  }
  const auto code = run.wait();
  INFO("exit code " << code.value_or(-999) << "\n" << run.output());
  CHECK(code == 1);
}

TEST_CASE("a stopped process is not fed to the watchdog, and lives on afterwards") {
  const Scratch s;
  Notified manager{s};
  Run run{
      s, {"--config", s.file("a.toml", minimal_config(s, free_port()))}, {manager.variable(), "WATCHDOG_USEC=400000"}};
  REQUIRE(manager.wait_for("WATCHDOG=1"));
  run.signal(SIGSTOP);
  while (manager.wait_for("WATCHDOG=1", 200ms)) {
  }
  CHECK_FALSE(manager.wait_for("WATCHDOG=1", 1500ms));
  run.signal(SIGCONT);
  CHECK(manager.wait_for("WATCHDOG=1", 2s));
  run.signal(SIGINT);
  CHECK(run.wait() == 0);
  CHECK_THAT(run.output(), ContainsSubstring("stood still"));
}

TEST_CASE("a second signal ends it at once") {
  const Scratch s;
  Notified manager{s};
  // A peer that never answers keeps nobody waiting anyway; a reachable one that is stopped keeps the goodbye waiting.
  Run run{s, {"--config", s.file("a.toml", minimal_config(s, free_port()))}, {manager.variable()}};
  REQUIRE(manager.wait_for("READY=1"));
  const auto before = Clock::now();
  run.signal(SIGTERM);
  run.signal(SIGINT);
  CHECK(run.wait() == 0);
  CHECK(Clock::now() - before < 1500ms);
}

TEST_CASE("an unwritable state directory is said once, and the daemon runs") {
  const Scratch s;
  Notified manager{s};
  const std::string file = s.file("a.toml", minimal_config(s, free_port()));
  Run run{s, {"--config", file, "--state-dir", "/proc/nothing"}, {manager.variable()}};
  REQUIRE(manager.wait_for("READY=1"));
  CHECK(run.says("identity.key"));
  std::this_thread::sleep_for(500ms);
  const std::string output = run.output();
  CHECK(output.find("identity.key") == output.rfind("identity.key"));
  run.signal(SIGTERM);
  CHECK(run.wait() == 0);
}

}  // namespace
}  // namespace pw::app
