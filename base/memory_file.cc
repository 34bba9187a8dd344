#include "base/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <limits>

#include "base/error.h"

namespace phalanx {
namespace {

// Bytes that the kernel can give away without ending processes to get them.
std::size_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::size_t kibibytes = 0;
  while (file >> key >> kibibytes >> std::ws && std::getline(file, unit))
    if (key == "MemAvailable:") return kibibytes * 1024;
  return std::numeric_limits<std::size_t>::max();
}

SystemError no_memory(const std::string& name, std::size_t bytes, const std::string& found) {
  return SystemError(
      "shared memory " + name + ": expected " + std::to_string(bytes) + " bytes, found " + found,
      "free memory on this node, or use fewer ranks per node or a smaller model");
}

}  // namespace

FileDescriptor create_memory_file(const std::string& name, std::size_t bytes) {
  // Asking for more would not fail: the kernel would kill processes until it is there, or nothing
  // is left.
  if (const auto available = available_memory(); bytes > available)
    throw no_memory(name, bytes, std::to_string(available) + " available");
  FileDescriptor file(::memfd_create(name.c_str(), MFD_CLOEXEC));
  if (!file) throw SystemError(describe_errno("memfd_create(" + name + ")"));
  if (const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)); error != 0) {
    errno = error;
    throw no_memory(name, bytes, describe_errno("posix_fallocate"));
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
