// PW_CHECK: a broken invariant of ours ends the process, in release builds too. Never used on bytes from a file, the
// network or a person: those give a Result.
#pragma once

namespace pw {
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;
}

#define PW_CHECK(expression) ((expression) ? static_cast<void>(0) : ::pw::check_failed(#expression, __FILE__, __LINE__))
