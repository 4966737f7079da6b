// Result<T>: a value or an Error. Words are made at the edge; inside, an error is a code and a short detail.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace pw {

/// What went wrong, said so that a person can act on it. `detail` is a sentence without a trailing full stop.
struct Error {
  std::string detail;
  bool operator==(const Error&) const = default;
};

template <class T, class E = Error>
using Result = tl::expected<T, E>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(std::string detail) { return tl::unexpected<Error>(Error{std::move(detail)}); }

}  // namespace pw
