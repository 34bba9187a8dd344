#pragma once

namespace phalanx {

// Asks the scheduler to give the calling thread the core soon after it wakes, in return for turns
// of a tenth of a millisecond: for threads that do little at a time while others compute on the
// same cores. Linux 6.12 and later grant it to everybody (EEVDF; Stoica & Abdel-Wahab 1995); where
// it is not granted nothing changes.
void ask_for_short_turns();

}  // namespace phalanx
