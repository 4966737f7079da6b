#include "app/options.hpp"

#include <algorithm>
#include <array>

#include "base/nearest.hpp"
#include "config/keys.hpp"
#include "config/print.hpp"
#include "config/problem.hpp"

namespace pw::app {
namespace {

enum class Takes : std::uint8_t { nothing, value, file_if_given };

struct Option {
  std::string_view name;
  Takes takes;
  std::optional<Action> action;
};

constexpr std::array kOptions = {
    Option{"--config", Takes::value, {}},
    Option{"--check-config", Takes::file_if_given, Action::check_config},
    Option{"--print-config", Takes::nothing, Action::print_config},
    Option{"--identity", Takes::nothing, Action::identity},
    Option{"--state-dir", Takes::value, {}},
    Option{"--version", Takes::nothing, Action::version},
    Option{"--help", Takes::nothing, Action::help},
};

/// The arguments, one after the other; `--name=value` gives its value first.
class Arguments {
 public:
  explicit Arguments(std::span<const std::string_view> all) : rest_{all} {}
  bool next() {
    attached_.reset();
    if (rest_.empty()) return false;
    name_ = rest_.front();
    rest_ = rest_.subspan(1);
    if (const auto equals = name_.find('='); name_.starts_with("--") && equals != std::string_view::npos) {
      attached_ = name_.substr(equals + 1);
      name_ = name_.substr(0, equals);
    }
    return true;
  }
  std::string_view name() const { return name_; }
  bool has_attached() const { return attached_.has_value(); }
  std::optional<std::string> value() {
    if (attached_) return std::string{*std::exchange(attached_, std::nullopt)};
    if (rest_.empty()) return std::nullopt;
    const std::string value{rest_.front()};
    rest_ = rest_.subspan(1);
    return value;
  }
  /// The next argument, unless it is an option itself.
  std::optional<std::string> optional_value() {
    if (attached_ || (!rest_.empty() && !rest_.front().starts_with("-"))) return value();
    return std::nullopt;
  }

 private:
  std::span<const std::string_view> rest_;
  std::string_view name_;
  std::optional<std::string_view> attached_;
};

tl::unexpected<Error> unknown(std::string_view name) {
  std::vector<std::string> known;
  for (const Option& option : kOptions) known.emplace_back(option.name);
  for (const auto& key : config::config_keys()) known.push_back("--" + key.name);
  const auto meant = nearest(name, known);
  return fail("unknown option " + config::quoted(name) +
              (meant ? " (did you mean " + *meant + "?)" : " (--help lists all of them)"));
}

Status take(const Option& option, Arguments& arguments, Invocation& out) {
  if (option.takes == Takes::nothing && arguments.has_attached())
    return fail(std::string{option.name} + " takes no value");
  if (option.action) out.action = *option.action;
  if (option.takes == Takes::file_if_given) {
    if (auto file = arguments.optional_value()) out.config_file = std::move(*file);
  } else if (option.takes == Takes::value) {
    auto value = arguments.value();
    if (!value || value->empty()) return fail(std::string{option.name} + " needs a value");
    if (option.name == "--config")
      out.config_file = std::move(*value);
    else
      out.overrides.emplace_back("node.state_dir", std::move(*value));
  }
  return {};
}

}  // namespace

Result<Invocation> parse_options(std::span<const std::string_view> all) {
  Invocation out;
  Arguments arguments{all};
  while (arguments.next()) {
    const std::string_view name = arguments.name() == "-h" ? "--help" : arguments.name();
    if (const auto option = std::ranges::find(kOptions, name, &Option::name); option != kOptions.end()) {
      if (auto taken = take(*option, arguments, out); !taken) return tl::unexpected{taken.error()};
    } else if (!name.starts_with("--")) {
      return fail("unexpected argument " + config::quoted(name) + " (options begin with --; --help lists them)");
    } else if (name.find('.') != std::string_view::npos) {
      auto value = arguments.value();
      if (!value) return fail(config::quoted(name) + " needs a value");
      out.overrides.emplace_back(name.substr(2), std::move(*value));
    } else {
      return unknown(name);
    }
  }
  return out;
}

std::string help_text() {
  return "Usage: peerwatchd [--config FILE] [--SECTION.KEY VALUE]...\n"
         "\n"
         "Holds authenticated QUIC connections to this node's peers, measures them, and tells about it over HTTP.\n"
         "\n"
         "  --config FILE         without it: /etc/peerwatch/peerwatch.toml, then conf.d/*.toml, else defaults\n"
         "  --SECTION.KEY VALUE   any key below; also as PEERWATCH_SECTION_KEY in the environment\n"
         "  --check-config [FILE] say what is wrong with a configuration; exit 0, or 2\n"
         "  --print-config        the effective configuration, without secrets\n"
         "  --identity            this node's id, which is made if there is none\n"
         "  --state-dir DIR       the same as --node.state_dir\n"
         "  --version, --help\n"
         "\n"
         "Signals: SIGHUP reads the configuration again; SIGTERM and SIGINT say goodbye to peers and end, a second "
         "one\n"
         "ends at once. Exit codes: 0 ended as asked, 2 wrong use or configuration, 1 anything else.\n"
         "\n" +
         config::key_help();
}

}  // namespace pw::app
