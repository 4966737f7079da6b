#pragma once

#include "base/result.hpp"
#include "event/vocabulary.hpp"

namespace pw::path {

using Refusal = event::CheckRefusal;
/// Done, or why not.
using Verdict = Result<void, Refusal>;

}  // namespace pw::path
