#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "rank/reference.h"

namespace phalanx::comm {

// Buffers for operations, on the device: in the group's registered memory or of their own.
class Buffers {
 public:
  Buffers(Group& group, const std::string& memory);
  Buffers(const Buffers&) = delete;
  ~Buffers();
  Buffer make(ElementType type, std::size_t count);
  Buffer make(ElementType type, const Numbers& values);

 private:
  Group& group_;
  bool registered_;
  std::vector<void*> own_;
};

// The elements [begin, begin + count) of a buffer.
Buffer part_of(Buffer buffer, std::size_t begin, std::size_t count);

// Complaints about results, by operation, type and size.
class Findings {
 public:
  void compare(const std::string& what, const Numbers& expected, Buffer found,
               const Numbers& slack = {});
  nlohmann::json result() const { return {{"compared", compared_}, {"complaints", complaints_}}; }

 private:
  int compared_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace phalanx::comm
