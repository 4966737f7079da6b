// A directory, ports and a configuration of a test's own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace pw::app {

struct Scratch {
  Scratch() {
    char name[] = "/tmp/pw-app-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream{path + "/" + name} << text;
    return path + "/" + name;
  }
  std::string path;
};

/// A port that was free a moment ago, for UDP and TCP alike.
inline std::uint16_t free_port() {
  for (;;) {
    const int tcp = socket(AF_INET, SOCK_STREAM, 0);
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool both =
        bind(tcp, generic, size) == 0 && getsockname(tcp, generic, &size) == 0 && bind(udp, generic, size) == 0;
    close(tcp);
    close(udp);
    if (both) return ntohs(address.sin_port);
  }
}

inline std::string minimal_config(const Scratch& scratch, std::uint16_t port) {
  const std::string where = "\"127.0.0.1:" + std::to_string(port) + "\"";
  return "[node]\nstate_dir = \"" + scratch.path + "/state\"\n[network]\nlisten = [" + where + "]\n[http]\nlisten = [" +
         where + "]\ncontrol_socket = \"" + scratch.path + "/control.sock\"\n";
}

}  // namespace pw::app
