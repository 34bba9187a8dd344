#include "base/philox.h"

#include <gtest/gtest.h>

namespace phalanx {
namespace {

// The known answers published with the Random123 library (kat_vectors, philox4x32 10 rounds).
TEST(Philox, GivesThePublishedKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, GivesOtherNumbersForAnotherSeedSiteStepOrIndex) {
  const auto base = random_block(1, 2, 3, 4);
  EXPECT_NE(base, random_block(2, 2, 3, 4));
  EXPECT_NE(base, random_block(1, 3, 3, 4));
  EXPECT_NE(base, random_block(1, 2, 4, 4));
  EXPECT_NE(base, random_block(1, 2, 3, 5));
}

}  // namespace
}  // namespace phalanx
