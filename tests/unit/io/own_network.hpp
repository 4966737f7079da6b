// A network namespace for a test that changes addresses and routes, with nothing in it but what the test wants.
#pragma once

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>

namespace pw::io {

inline constexpr int kNoNamespace = 77;

inline bool shell(const std::string& command) { return std::system((command + " 2>/dev/null").c_str()) == 0; }

/// Runs `what` in a process and a network of its own, with two interfaces, d1 and d2, that have addresses and no routes to
/// anywhere else: 10.0.N.2/24 and 2001:db8:N::2/64. True if `what` said so. Not inside of CHECK: it may skip the test.
inline bool in_a_network(const std::function<bool()>& what) {
  const pid_t child = fork();
  if (child == 0) {
    // Who is nobody in particular becomes root of a name space of his own first, which no process with threads may: the
    // thread sanitizer has one.
    const auto user = std::to_string(getuid()), group = std::to_string(getgid());
    if (unshare(getuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0) _exit(kNoNamespace);
    if (user != "0") {
      std::ofstream{"/proc/self/setgroups"} << "deny";
      std::ofstream{"/proc/self/uid_map"} << "0 " + user + " 1";
      std::ofstream{"/proc/self/gid_map"} << "0 " + group + " 1";
    }
    bool ready = true;
    for (const std::string n : {"1", "2"})
      ready = ready && shell("ip link add d" + n + " type veth peer name e" + n) && shell("ip link set e" + n + " up") &&
              shell("ip link set d" + n + " up") && shell("ip addr add 10.0." + n + ".2/24 dev d" + n) &&
              shell("ip -6 addr add 2001:db8:" + n + "::2/64 dev d" + n + " nodad");
    _exit(!ready ? kNoNamespace : what() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoNamespace) SKIP("this machine gives nobody a network of his own");
  return WEXITSTATUS(status) == 0;
}

}  // namespace pw::io
