#include "base/check.h"

#include <cstdio>
#include <cstdlib>

#include "base/crash.h"

namespace phalanx {

void check_failed(std::string_view message, const std::source_location& place) {
  std::fprintf(stderr, "bug: %s:%u: in %s: %.*s\n", place.file_name(), place.line(),
               place.function_name(), static_cast<int>(message.size()), message.data());
  write_stack();
  std::abort();
}

}  // namespace phalanx
