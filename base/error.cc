#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace phalanx {

std::string describe_errno(const std::string& call) {
  return call + ": " + std::generic_category().message(errno);
}

}  // namespace phalanx
