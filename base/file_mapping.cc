#include "base/file_mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"

namespace phalanx {

FileMapping::FileMapping(const FileDescriptor& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw SystemError(describe_errno("fstat"));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return;
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (start == MAP_FAILED) throw SystemError(describe_errno("mmap"));
  bytes_ = {static_cast<const std::byte*>(start), size};
}

FileMapping::~FileMapping() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace phalanx
