#include "base/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"

namespace phalanx {

FileDescriptor create_memory_file(const std::string& name, std::size_t bytes) {
  FileDescriptor file(::memfd_create(name.c_str(), MFD_CLOEXEC));
  if (!file) throw SystemError(describe_errno("memfd_create(" + name + ")"));
  if (const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)); error != 0) {
    errno = error;
    throw SystemError(
        describe_errno("shared memory " + name + " of " + std::to_string(bytes) + " bytes"),
        "free memory on this node, or use fewer ranks per node or a smaller model");
  }
  return file;
}

MemoryMapping::MemoryMapping(const FileDescriptor& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw SystemError(describe_errno("fstat"));
  const auto size = static_cast<std::size_t>(status.st_size);
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (start == MAP_FAILED) throw SystemError(describe_errno("mmap"));
  bytes_ = {static_cast<std::byte*>(start), size};
}

MemoryMapping::~MemoryMapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace phalanx
