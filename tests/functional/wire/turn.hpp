// Turn: this process comes to its turn soon after it is woken, as far as the kernel lets it: what waits for it are
// packets whose delay is measured.
#pragma once

namespace pw::lab {

/// A short time slice (Linux 6.12 and later: who asks for little at a time gets it sooner) and, for those who may, a
/// higher priority. Neither is needed, so that neither may fail loudly.
void ask_for_quick_turns();

}  // namespace pw::lab
