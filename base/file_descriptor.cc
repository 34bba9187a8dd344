#include "base/file_descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

namespace phalanx {

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

FileDescriptor FileDescriptor::duplicate() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw SystemError(describe_errno("fcntl(F_DUPFD_CLOEXEC)"));
  return FileDescriptor(copy);
}

}  // namespace phalanx
