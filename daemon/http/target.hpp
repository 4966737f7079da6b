// The request target (RFC 9112 section 3.2): path segments and query parameters, percent-decoded. Bytes from anybody.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace pw::http {

inline constexpr std::size_t kMaxTarget = 2048;    // no route of ours needs a tenth of it
inline constexpr std::size_t kMaxSegments = 8;     // the deepest route has five
inline constexpr std::size_t kMaxParameters = 16;  // the richest route takes four

struct Target {
  std::string authority;                                        // of an absolute-form target; else empty
  std::vector<std::string> segments;                            // "/" has none
  std::vector<std::pair<std::string, std::string>> parameters;  // in order, names may repeat
  bool trailing_slash = false;

  /// The first parameter of that name.
  std::optional<std::string_view> parameter(std::string_view name) const;
};

/// Origin-form, or absolute-form with the scheme http. Errors: too long, no leading slash, a fragment, a broken escape,
/// a control character or a byte that is no UTF-8 after decoding, an empty segment, too many segments or parameters.
/// Dot segments are not resolved: nothing here is a file, so they match no route.
Result<Target> parse_target(std::string_view text);

/// %XX decoded; with `plus_is_space` as HTML forms write it. Fails as parse_target does.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space);

bool valid_utf8(std::string_view text);

}  // namespace pw::http
