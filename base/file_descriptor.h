#pragma once

#include <utility>

namespace phalanx {

// Owns a file descriptor and closes it. Every descriptor made by base/ is close-on-exec.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();
  // A second descriptor of the same open file. Throws SystemError.
  FileDescriptor duplicate() const;

 private:
  int fd_ = -1;
};

}  // namespace phalanx
