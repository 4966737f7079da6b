#include "http/target.hpp"

#include <algorithm>

namespace pw::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Result<std::string> strip_authority(std::string_view& text) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme)) return std::string{};
  text.remove_prefix(kScheme.size());
  const auto end = std::min(text.find_first_of("/?"), text.size());
  std::string authority{text.substr(0, end)};
  if (authority.empty()) return fail("the request target has no host");
  text.remove_prefix(end);
  return authority;
}

Status parse_path(std::string_view path, Target& into) {
  if (path.empty() || path == "/") return {};
  path.remove_prefix(1);
  if (path.ends_with('/')) {
    into.trailing_slash = true;
    path.remove_suffix(1);
  }
  for (;;) {
    const auto slash = std::min(path.find('/'), path.size());
    if (slash == 0) return fail("the path has an empty segment");
    if (into.segments.size() == kMaxSegments) return fail("the path has too many segments");
    auto segment = percent_decode(path.substr(0, slash), false);
    if (!segment) return tl::unexpected{segment.error()};
    into.segments.push_back(std::move(*segment));
    if (slash == path.size()) return {};
    path.remove_prefix(slash + 1);
  }
}

Status parse_query(std::string_view query, Target& into) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    if (into.parameters.size() == kMaxParameters) return fail("the query has too many parameters");
    const auto equals = std::min(pair.find('='), pair.size());
    auto key = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!key) return tl::unexpected{key.error()};
    if (!value) return tl::unexpected{value.error()};
    into.parameters.emplace_back(std::move(*key), std::move(*value));
  }
  return {};
}

}  // namespace

std::optional<std::string_view> Target::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return std::nullopt;
}

bool valid_utf8(std::string_view text) {
  // RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80                    ? 0
                             : lead >= 0xc2 && lead <= 0xdf ? 1
                             : (lead & 0xf0) == 0xe0        ? 2
                             : lead >= 0xf0 && lead <= 0xf4 ? 3
                                                            : 4;
    if (more == 4 || i + more >= text.size()) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    if (more > 1) {
      const auto second = static_cast<unsigned char>(text[i + 1]);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
          (lead == 0xf4 && second > 0x8f))
        return false;
    }
    i += more + 1;
  }
  return true;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail("the request target has a broken %-escape");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (control(c)) return fail("the request target has a control character");
    out.push_back(c);
  }
  if (!valid_utf8(out)) return fail("the request target is not UTF-8");
  return out;
}

Result<Target> parse_target(std::string_view text) {
  if (text.size() > kMaxTarget)
    return fail("the request target is longer than " + std::to_string(kMaxTarget) + " bytes");
  Target target;
  auto authority = strip_authority(text);
  if (!authority) return tl::unexpected{authority.error()};
  target.authority = std::move(*authority);
  if (target.authority.empty() && !text.starts_with('/')) return fail("the request target does not start with a slash");
  if (text.find('#') != std::string_view::npos) return fail("the request target has a fragment");
  const auto question = std::min(text.find('?'), text.size());
  if (auto path = parse_path(text.substr(0, question), target); !path) return tl::unexpected{path.error()};
  if (auto query = parse_query(text.substr(std::min(question + 1, text.size())), target); !query)
    return tl::unexpected{query.error()};
  return target;
}

}  // namespace pw::http
