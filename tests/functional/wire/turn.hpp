// Turn: this process comes to its turn soon after it is woken, as far as the kernel lets it: what waits for it are
// packets whose delay is measured.
#pragma once

namespace pw::lab {

/// Real time for those who may (true): on a machine with ten others at work, packets are then 0.04 ms late instead of 3.
/// The kernel keeps a share of each processor for everybody else (sched_rt_runtime_us). Else a short time slice (Linux
/// 6.12 and later: who asks for little at a time gets it sooner).
bool ask_for_quick_turns();

}  // namespace pw::lab
