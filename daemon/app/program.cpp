#include "app/program.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "app/daemon.hpp"
#include "app/options.hpp"
#include "app/reload.hpp"
#include "app/translate.hpp"
#include "config/print.hpp"
#include "io/clock.hpp"
#include "io/identity_file.hpp"
#include "quic/identity.hpp"

namespace pw::app {
namespace {

int say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  // A full disk or a closed pipe is an answer that nobody got.
  return std::fflush(stdout) == 0 ? kExitGood : kExitFailed;
}

int complain(const std::string& line) {
  std::fputs(("peerwatchd: " + line + "\n").c_str(), stderr);
  return kExitConfiguration;
}

int complain(const std::vector<config::Problem>& problems) {
  // In the form that editors and CI know, so without the program's name.
  for (const config::Problem& problem : problems) std::fputs((problem.to_string() + "\n").c_str(), stderr);
  return kExitConfiguration;
}

int print_identity(const config::Config& config) {
  const auto file = io::load_identity(config.node.state_dir, io::entropy);
  if (!file) return complain(file.error().detail);
  if (file->not_stored) return complain(*file->not_stored);
  const auto identity = quic::Identity::from_seed(file->seed);
  if (!identity) return complain(file->path + ": " + identity.error().detail);
  return say(identity->id().to_string() + "\n");
}

int run(std::span<const std::string_view> arguments, const std::map<std::string, std::string>& environment) {
  const auto invocation = parse_options(arguments);
  if (!invocation) return complain(invocation.error().detail);
  if (invocation->action == Action::help) return say(help_text());
  if (invocation->action == Action::version) return say("peerwatchd " + std::string{version()} + "\n");

  const config::Loaded loaded = read_config(*invocation, environment);
  if (!loaded.ok()) return complain(loaded.problems);
  switch (invocation->action) {
    case Action::check_config:
      return say("the configuration is good\n");
    case Action::print_config:
      return say(config::to_toml(loaded.config));
    case Action::identity:
      return print_identity(loaded.config);
    case Action::run:
      return run_daemon(*invocation, environment, loaded.config);
    case Action::version:
    case Action::help:
      break;
  }
  return kExitFailed;
}

}  // namespace

int run_program(int argc, const char* const* argv, const char* const* environment) {
  try {
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return run(arguments, environment_of(environment));
  } catch (const std::exception& error) {
    std::fputs((std::string{"peerwatchd: "} + error.what() + "\n").c_str(), stderr);
    return kExitFailed;
  }
}

}  // namespace pw::app
