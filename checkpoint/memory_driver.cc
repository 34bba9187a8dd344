#include "checkpoint/memory_driver.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace phalanx::checkpoint {
namespace {

// What HDF5 keeps of an open file: its own part must come first.
struct File {
  H5FD_t base{};
  MemoryImage* image = nullptr;
  haddr_t end_of_allocation = 0;
};

File& self(H5FD_t* file) { return *reinterpret_cast<File*>(file); }
const File& self(const H5FD_t* file) { return *reinterpret_cast<const File*>(file); }

H5FD_t* open_file(const char*, unsigned, hid_t properties, haddr_t) {
  const auto* image = static_cast<MemoryImage* const*>(H5Pget_driver_info(properties));
  if (image == nullptr) return nullptr;
  auto* file = new (std::nothrow) File;
  if (file == nullptr) return nullptr;
  file->image = *image;
  return &file->base;
}

herr_t close_file(H5FD_t* file) {
  delete &self(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t) { return self(file).end_of_allocation; }

herr_t set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  self(file).end_of_allocation = end;
  return 0;
}

haddr_t get_eof(const H5FD_t* file, H5FD_mem_t) { return self(file).image->size(); }

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t position, std::size_t size, void* buffer) {
  self(file).image->read(position, {static_cast<std::byte*>(buffer), size});
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t position, std::size_t size,
             const void* buffer) try {
  self(file).image->write(position, {static_cast<const std::byte*>(buffer), size});
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  self(file).image->grow(self(file).end_of_allocation);
  return 0;
}

H5FD_class_t describe_driver() {
  H5FD_class_t driver{};
  driver.name = "phalanx_memory";
  driver.maxaddr = INT64_MAX;
  driver.fc_degree = H5F_CLOSE_WEAK;
  driver.fapl_size = sizeof(MemoryImage*);
  driver.open = open_file;
  driver.close = close_file;
  driver.query = query;
  driver.get_eoa = get_eoa;
  driver.set_eoa = set_eoa;
  driver.get_eof = get_eof;
  driver.read = read;
  driver.write = write;
  driver.truncate = truncate;
  std::ranges::fill(driver.fl_map, H5FD_MEM_DEFAULT);
  return driver;
}

}  // namespace

void MemoryImage::write(std::uint64_t position, std::span<const std::byte> bytes) {
  grow(position + bytes.size());
  while (!bytes.empty()) {
    const auto within = position % sizeof(Page);
    const auto count = std::min(bytes.size(), sizeof(Page) - within);
    std::memcpy(pages_[position / sizeof(Page)].data() + within, bytes.data(), count);
    bytes = bytes.subspan(count);
    position += count;
  }
}

void MemoryImage::read(std::uint64_t position, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const auto within = position % sizeof(Page);
    const auto count = std::min(bytes.size(), sizeof(Page) - within);
    const auto page = pages_.find(position / sizeof(Page));
    if (page == pages_.end())
      std::memset(bytes.data(), 0, count);
    else
      std::memcpy(bytes.data(), page->second.data() + within, count);
    bytes = bytes.subspan(count);
    position += count;
  }
}

herr_t use_memory_driver(hid_t properties, MemoryImage& image) {
  static const H5FD_class_t description = describe_driver();
  const hid_t driver = H5FDregister(&description);
  if (driver < 0) return -1;
  MemoryImage* const target = &image;
  const herr_t result = H5Pset_driver(properties, driver, &target);
  H5FDunregister(driver);  // the list holds it while it is needed
  return result;
}

}  // namespace phalanx::checkpoint
