#pragma once

namespace phalanx {

// From now on a signal that ends this process for a fault of its own (SIGSEGV, SIGBUS, SIGILL,
// SIGFPE) first writes its name and a stack to standard error.
void report_crashes();

// Writes the stack of the caller to standard error. Safe in signal handlers once report_crashes()
// has been called.
void write_stack();

}  // namespace phalanx
