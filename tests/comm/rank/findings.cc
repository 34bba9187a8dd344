#include "rank/findings.h"

#include "device/device_memory.h"

namespace phalanx::comm {

Buffers::Buffers(Group& group, const std::string& memory)
    : group_(group),
      registered_(memory == "registered" || (memory == "mixed" && group.rank() % 2 == 1)) {}

Buffers::~Buffers() {
  for (void* memory : own_) own_memory().free(memory);
}

Buffer Buffers::make(ElementType type, std::size_t count) {
  const std::size_t bytes = count * element_size(type);
  if (registered_) return {group_.allocate(bytes).data(), count, type};
  own_.push_back(own_memory().allocate(bytes));
  return {own_.back(), count, type};
}

Buffer Buffers::make(ElementType type, const Numbers& values) {
  const Buffer buffer = make(type, values.size());
  const auto bytes = encode(type, values);
  own_memory().copy(buffer.data, bytes.data(), bytes.size());
  return buffer;
}

Buffer part_of(Buffer buffer, std::size_t begin, std::size_t count) {
  return {static_cast<std::byte*>(buffer.data) + begin * element_size(buffer.type), count,
          buffer.type};
}

void Findings::compare(const std::string& what, const Numbers& expected, Buffer found,
                       const Numbers& slack) {
  ++compared_;
  std::vector<std::byte> here(found.bytes());
  own_memory().copy(here.data(), found.data, here.size());
  std::string where = difference(found.type, expected, here.data(), slack);
  if (where.empty()) return;
  complaints_.push_back(what + " of " + std::to_string(expected.size()) + " " +
                        element_type_name(found.type) + ": " + where);
}

}  // namespace phalanx::comm
