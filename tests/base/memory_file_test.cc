#include "base/memory_file.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace phalanx {
namespace {

// Without the check the kernel kills processes to find the memory.
TEST(MemoryFile, RefusesMoreThanThereIs) {
  EXPECT_THROW(create_memory_file("test", std::size_t{1} << 50), SystemError);
}

TEST(MemoryFile, IsZeroedAndSharedByItsMappings) {
  const auto file = create_memory_file("test", 10000);
  const MemoryMapping one(file), other(file);
  ASSERT_EQ(one.bytes().size(), 10000u);
  EXPECT_EQ(one.bytes()[9999], std::byte{0});
  one.bytes()[9999] = std::byte{7};
  EXPECT_EQ(other.bytes()[9999], std::byte{7});
}

}  // namespace
}  // namespace phalanx
