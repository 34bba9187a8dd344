#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace phalanx {
namespace {

std::string describe(const std::string& call, int error) {
  return call + ": " + std::generic_category().message(error);
}

const char* storage_help(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "make room on this disk, or name a folder on another one";
    case EACCES:
    case EPERM:
    case EROFS:
      return "name a folder that you may read and write, or have its permissions changed";
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return "correct the path: each part of it but the last must be a folder that exists";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (`ulimit -n`)";
    default:
      return "see that the disk is mounted and in order (`df`, `dmesg`)";
  }
}

}  // namespace

std::string describe_errno(const std::string& call) { return describe(call, errno); }

StorageError storage_error(const std::string& call, int error) {
  return StorageError(describe(call, error), storage_help(error));
}

StorageError storage_error(const std::string& call) { return storage_error(call, errno); }

}  // namespace phalanx
