// peerwatchd from its command line to its exit code.
#pragma once

namespace pw::app {

int run_program(int argc, const char* const* argv, const char* const* environment);

}  // namespace pw::app
