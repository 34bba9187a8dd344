#include "base/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace phalanx {
namespace {

void report(int signal) {
  const char* name = ::sigabbrev_np(signal);
  (void)!::write(STDERR_FILENO, "crash: SIG", 10);
  (void)!::write(STDERR_FILENO, name, std::strlen(name));
  (void)!::write(STDERR_FILENO, "\n", 1);
  write_stack();
  ::raise(signal);  // the handler was reset: this ends the process as if it had none
}

}  // namespace

void write_stack() {
  std::array<void*, 64> frames;
  backtrace_symbols_fd(frames.data(), backtrace(frames.data(), frames.size()), STDERR_FILENO);
}

void report_crashes() {
  void* frame = nullptr;
  backtrace(&frame, 1);  // loads libgcc now: a handler must not
  struct sigaction action {};
  action.sa_handler = report;
  action.sa_flags = SA_RESETHAND | SA_NODEFER;
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) ::sigaction(signal, &action, nullptr);
}

}  // namespace phalanx
