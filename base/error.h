#pragma once

#include <stdexcept>
#include <string>

namespace phalanx {

// A failure of the world, not of our code: typed by what failed, thrown, and handled at one place.
// `what()` says where, who, what was expected and what was found; `help()` what to do (empty if
// nothing is known to help).
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, std::string help = {})
      : std::runtime_error(what), help_(std::move(help)) {}
  const std::string& help() const { return help_; }

 private:
  std::string help_;
};

// A file, disk or permission failed. Thrown by base/file.h and by whoever stores things.
class StorageError : public Error {
 public:
  using Error::Error;
};

// A call of the operating system failed that has no business failing (out of descriptors,
// processes, memory).
class SystemError : public Error {
 public:
  explicit SystemError(const std::string& what,
                       std::string help =
                           "see this host's limits of open files, processes and "
                           "memory (`ulimit -a`, `free -h`)")
      : Error(what, std::move(help)) {}
};

// "CALL: strerror(errno)", for messages.
std::string describe_errno(const std::string& call);

// That `call` on a file failed with `error`, an errno, and what to do about it.
StorageError storage_error(const std::string& call, int error);
// The same with the errno of the last call.
StorageError storage_error(const std::string& call);

}  // namespace phalanx
