#include "observe/levels.hpp"

#include <optional>
#include <string>

namespace pw::observe {
namespace {

template <class E>
std::string choices() {
  std::string out;
  for (std::string_view one : names(E{})) out += (out.empty() ? "" : ", ") + std::string{one};
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<Level> level_of(std::string_view text) {
  if (text == "warn") return Level::warning;
  if (const auto level = from_name<Level>(text)) return *level;
  return fail("no log level \"" + std::string{text} + "\": use one of " + choices<Level>());
}

}  // namespace

Result<Levels> parse_levels(std::string_view text) {
  Level general = Level::info;
  std::array<std::optional<Level>, enum_count<Room>()> special;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    const std::string_view part = trim(text.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    const auto equals = part.find('=');
    const auto level = level_of(equals == std::string_view::npos ? part : trim(part.substr(equals + 1)));
    if (!level) return tl::unexpected(level.error());
    if (equals == std::string_view::npos) {
      general = *level;
      continue;
    }
    const auto room = from_name<Room>(trim(part.substr(0, equals)));
    if (!room)
      return fail("no part of the daemon is called \"" + std::string{trim(part.substr(0, equals))} + "\": use one of " +
                  choices<Room>());
    special[static_cast<std::size_t>(*room)] = *level;
  }
  Levels out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = special[i].value_or(general);
  return out;
}

}  // namespace pw::observe
