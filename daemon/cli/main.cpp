// peerwatch: the command for people.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "cli/commands.hpp"

#ifndef PEERWATCH_VERSION
#error "the build defines PEERWATCH_VERSION"
#endif

namespace {

using namespace pw;
using namespace pw::cli;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int) { interrupted = 1; }

/// Commands that have something to say at the end take the interrupt between two steps; the others just end.
void catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second one ends the program
  sigaction(SIGINT, &action, nullptr);
}

bool sleep_for(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  constexpr long long kMost = 24LL * 3600 * 1000;
  if (interrupted == 0) ::poll(nullptr, 0, static_cast<int>(std::min<long long>(ms, kMost)));
  return interrupted == 0;
}

Result<std::string> token_in(const std::string& path) {
  if (path.empty()) return std::string{};
  std::ifstream file{path};
  std::string token;
  if (!file || !std::getline(file, token) || token.empty())
    return fail("--token-file: can't read a token from " + path);
  while (token.ends_with('\r') || token.ends_with(' ')) token.pop_back();
  if (token.find_first_of("\r\n") != std::string::npos) return fail("--token-file: a token is one line");
  return token;
}

Result<Endpoint> endpoint_of(const Arguments& arguments) {
  if (!arguments.url.empty()) return parse_url(arguments.url);
  Endpoint endpoint;
  endpoint.socket = arguments.socket;
  return endpoint;
}

int fail_with(const std::string& text) {
  std::cerr << "peerwatch: " << text << "\n";
  return kWrongUse;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words{argv + 1, argv + argc};
  const auto parsed =
      parse_arguments(words, {variable("PEERWATCH_URL"), variable("PEERWATCH_SOCKET")}, PEERWATCH_VERSION);
  if (const auto* say = std::get_if<Say>(&parsed)) {
    (say->code == kGood ? std::cout : std::cerr) << say->text;
    return say->code;
  }
  const auto& arguments = std::get<Arguments>(parsed);
  const auto endpoint = endpoint_of(arguments);
  if (!endpoint) return fail_with(endpoint.error().detail);
  const auto token = token_in(arguments.token_file);
  if (!token) return fail_with(token.error().detail);
  if (arguments.action == Action::ping || arguments.watch) catch_interrupt();
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const bool colours = terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  const auto daemon = make_daemon(*endpoint, *token);
  return run(arguments, *daemon, Terminal{std::cout, std::cerr, colours, terminal, sleep_for});
}
