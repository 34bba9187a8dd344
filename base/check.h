#pragma once

#include <source_location>
#include <string_view>

namespace phalanx {

// Stops the process with `message`, the place and a stack: a promise of ours is broken, and nothing
// that this process would do from here on could be trusted. Failures of the world are thrown as
// Error instead.
[[noreturn]] void check_failed(std::string_view message, const std::source_location& place);

inline void check(bool holds, std::string_view message,
                  const std::source_location& place = std::source_location::current()) {
  if (!holds) [[unlikely]]
    check_failed(message, place);
}

}  // namespace phalanx
