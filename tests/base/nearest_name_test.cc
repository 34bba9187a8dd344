#include "base/nearest_name.h"

#include <gtest/gtest.h>

namespace phalanx {
namespace {

TEST(NearestName, FindsWhatWasMeant) {
  const std::vector<std::string> names = {"steps", "global_batch", "micro_batch", "lr"};
  EXPECT_EQ(nearest_name("stpes", names), "steps");
  EXPECT_EQ(nearest_name("globalbatch", names), "global_batch");
  EXPECT_EQ(nearest_name("micro_bacth", names), "micro_batch");
}

TEST(NearestName, GuessesNothingWhenNothingIsNear) {
  const std::vector<std::string> names = {"steps", "global_batch"};
  EXPECT_EQ(nearest_name("telephone", names), "");
  EXPECT_EQ(nearest_name("", {}), "");
}

}  // namespace
}  // namespace phalanx
