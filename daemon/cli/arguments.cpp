#include "cli/arguments.hpp"

// CLI11 is confined to this file.
#include <CLI/CLI.hpp>
#include <charconv>

#include "base/nearest.hpp"
#include "cli/text.hpp"

namespace pw::cli {
namespace {

constexpr unsigned kMaxCount = 1'000'000'000;
constexpr std::uint32_t kMaxPing = 64 * 1024;  // what the daemon takes

/// A validator that stores what it parsed.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App* app, const std::string& name, T& into, Parse parse, const std::string& help,
                        const std::string& type) {
  const auto callback = [&into, parse](const CLI::results_t& words) {
    const auto value = parse(words.at(0));
    if (!value) throw CLI::ValidationError(value.error().detail);
    into = *value;
    return true;
  };
  return app->add_option(name, callback, help)->type_name(type);
}

Result<Duration> pause_of(std::string_view text) {
  const auto pause = parse_duration(text);
  if (pause && *pause < 10ms) return fail("the interval must be 10ms or longer");
  return pause;
}
Result<Duration> waiting_time(std::string_view text) {
  const auto time = parse_duration(text);
  if (time && (*time < 1s || *time > 24h)) return fail("the time must be from 1s to 24h");
  return time;
}
Result<Duration> measured_for(std::string_view text) {
  const auto duration = parse_duration(text);
  if (duration && (*duration < 100ms || *duration > 30s)) return fail("the duration must be from 100ms to 30s");
  return duration;
}
Result<std::uint64_t> measured_bytes(std::string_view text) {
  const auto bytes = parse_size(text);
  if (bytes && (*bytes == 0 || *bytes > 1ULL << 30)) return fail("the size must be from 1 byte to 1GiB");
  return bytes;
}
Result<unsigned> ping_count(std::string_view text) {
  unsigned count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || count > kMaxCount)
    return fail("the count must be an integer, 0 for no end");
  return count;
}
Result<std::uint32_t> ping_size(std::string_view text) {
  const auto bytes = parse_size(text);
  if (!bytes) return tl::unexpected{bytes.error()};
  if (*bytes > kMaxPing) return fail("the size must be from 0 to 64KiB");
  return static_cast<std::uint32_t>(*bytes);
}
Result<std::string> address_text(std::string_view text) {
  const auto address = HostPort::parse(text);
  if (!address) return tl::unexpected{address.error()};
  return std::string{text};
}

CLI::App* add(CLI::App& app, const char* name, const char* help, Action action, Arguments& into) {
  CLI::App* command = app.add_subcommand(name, help)->fallthrough();
  command->callback([&into, action] { into.action = action; });
  return command;
}

void add_peer(CLI::App* command, Arguments& into, bool required) {
  command->add_option("peer", into.peer, "the peer's id, name, or a unique beginning of its id")
      ->type_name("ID|NAME")
      ->required(required);
}

void add_commands(CLI::App& app, Arguments& into) {
  auto* status = add(app, "status", "This node and its peers: state, path, round trips, loss", Action::status, into);
  status->add_flag("-w,--watch", into.watch, "show it again every 2 seconds");
  add_peer(add(app, "peers", "The peers, or one of them in full", Action::peers, into), into, false);

  auto* ping = add(app, "ping", "Echoes to a peer through its session", Action::ping, into);
  add_peer(ping, into, true);
  auto* count = add_parsed(ping, "-c,--count", into.count, ping_count, "how many; 0: until interrupted (5)", "N");
  add_parsed(ping, "-i,--interval", into.pause, pause_of, "the pause between two (1s)", "D");
  add_parsed(ping, "--size", into.size, ping_size, "bytes of padding, up to 64KiB (0)", "N");
  auto* direct = ping->add_flag("--until-direct", into.until_direct,
                                "until one goes over a direct path: exit code 1 if none does, and why");
  direct->excludes(count);
  add_parsed(ping, "-t,--time", into.patience, waiting_time, "the longest time for that (30s)", "D")->needs(direct);

  auto* bandwidth = add(app, "bandwidth", "Measure the bandwidth to and from a peer", Action::bandwidth, into);
  add_peer(bandwidth, into, true);
  add_parsed(bandwidth, "-t,--time", into.duration, measured_for, "the longest time each way, up to 30s (2s)", "D");
  add_parsed(bandwidth, "--bytes", into.bytes, measured_bytes, "the most bytes each way, up to 1GiB (16MiB)", "N");

  add(app, "netcheck", "What the NATs in front of this node do; exit code 1 if UDP is blocked", Action::netcheck, into);

  auto* events = add(app, "events", "What happened lately", Action::events, into);
  events->add_flag("-f,--follow", into.follow, "go on as it happens");
  events->add_option("--peer", into.peer, "events about this peer only")->type_name("ID|NAME");
  add_parsed(events, "--since", into.since, parse_duration, "no older than this, such as 10m", "D");

  auto* connect = add(app, "connect", "Dial a peer now, also one that was disconnected or is not configured",
                      Action::connect, into);
  add_peer(connect, into, true);
  const auto append = [&into](const CLI::results_t& words) {
    for (const auto& word : words) {
      if (const auto good = address_text(word); !good) throw CLI::ValidationError("--address: " + good.error().detail);
      into.addresses.push_back(word);
    }
    return true;
  };
  connect->add_option("-a,--address", append, "where it is reached; may be repeated")
      ->type_name("HOST:PORT")
      ->expected(1)
      ->take_all();
  add_peer(add(app, "disconnect", "End the session with a peer and stay away", Action::disconnect, into), into, true);
  add(app, "reload", "Make the daemon read its configuration again", Action::reload, into);
  add(app, "export-peer", "This node as a [[peer]] block, to paste on the others", Action::export_peer, into);
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

void add_option_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
}

Say wrong_use(std::string text) { return {kWrongUse, "peerwatch: " + std::move(text) + "\n"}; }

/// What was not understood, and what was probably meant.
Say unexpected(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  for (const std::string& word : app.remaining(true)) {
    std::vector<std::string> known;
    const bool option = word.starts_with('-');
    if (option) {
      add_option_names(app, known);
      for (const CLI::App* command : chosen) add_option_names(*command, known);
    } else if (chosen.empty()) {
      known = names_of(app);
    }
    const std::string kind = option ? "unknown option " : chosen.empty() ? "unknown command " : "too much: ";
    const auto meant = nearest(word.substr(0, word.find('=')), known);
    return wrong_use(kind + "\"" + clean(word) + "\"" +
                     (meant ? "; did you mean \"" + *meant + "\"?" : "; peerwatch --help lists what there is"));
  }
  return wrong_use("say what to do; peerwatch --help lists what there is");
}

}  // namespace

std::variant<Arguments, Say> parse_arguments(const std::vector<std::string>& words, const Environment& environment,
                                             const std::string& version) {
  Arguments into;
  CLI::App app{"Asks peerwatchd, the daemon that watches this node's peers.", "peerwatch"};
  app.set_version_flag("--version", "peerwatch " + version);
  auto* url =
      app.add_option("--url", into.url, "the daemon over TCP, as http://HOST:PORT (PEERWATCH_URL)")->type_name("URL");
  auto* socket = app.add_option("--socket", into.socket,
                                std::string{"its control socket (PEERWATCH_SOCKET; "} + kDefaultSocket + ")")
                     ->type_name("PATH");
  url->excludes(socket);
  app.add_option("--token-file", into.token_file, "a file with the token for --url")->type_name("FILE");
  app.add_flag("--json", into.json, "the daemon's own JSON");
  app.footer("Exit codes: 0 good, 1 bad news, 2 wrong use, 3 the daemon can't be reached.");
  add_commands(app, into);
  try {
    // CLI11 takes the words from the end.
    app.parse(std::vector<std::string>{words.rbegin(), words.rend()});
  } catch (const CLI::CallForHelp&) {
    return Say{kGood, app.help()};
  } catch (const CLI::CallForVersion&) {
    return Say{kGood, "peerwatch " + version + "\n"};
  } catch (const CLI::ExtrasError&) {
    return unexpected(app);
  } catch (const CLI::ParseError& error) {
    return wrong_use(clean(error.what()));
  }
  if (app.get_subcommands().empty()) return unexpected(app);
  if (app.get_subcommands().size() > 1) return wrong_use("one command at a time");
  if (url->count() == 0 && socket->count() == 0) {
    if (!environment.socket.empty())
      into.socket = environment.socket;
    else
      into.url = environment.url;
  }
  return into;
}

}  // namespace pw::cli
