#include "base/check.h"

#include <execinfo.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace phalanx {

void check_failed(std::string_view message, const std::source_location& place) {
  std::fprintf(stderr, "bug: %s:%u: in %s: %.*s\n", place.file_name(), place.line(),
               place.function_name(), static_cast<int>(message.size()), message.data());
  std::array<void*, 64> frames;
  backtrace_symbols_fd(frames.data(), backtrace(frames.data(), frames.size()), STDERR_FILENO);
  std::abort();
}

}  // namespace phalanx
