// `phalanx parity`, as its users call it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

using testing::HasSubstr;

TEST(Parity, ShowsThatALayoutComputesWhatOneRankDoes) {
  const Workshop workshop;
  const auto outcome =
      workshop.phalanx({"parity", workshop.job(), "--parallel.tensor=2", "--parallel.pipeline=2",
                        "--parallel.schedule=zb_h1", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto result = Json::parse(outcome.output);
  EXPECT_TRUE(result["equal"]);
  EXPECT_EQ(result["precision"], "fp64");
  EXPECT_EQ(result["gradients"].size(), 21u);
  EXPECT_EQ(result["steps"].size(), 3u);
  EXPECT_GT(result["steps"][0]["loss"], 1.0);
}

TEST(Parity, ComparesAnyTwoLayoutsInAnyPrecision) {
  const Workshop workshop;
  for (const auto* precision : {"fp32", "bf16"}) {
    const auto outcome = workshop.phalanx({"parity", workshop.job(), "--parallel.zero_stage=3",
                                           "--against=data=2,context=2",
                                           std::string("--precision=") + precision, "--steps=2"});
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(outcome.output, HasSubstr("data 4, ZeRO-3, against data 2 x context 2"));
  }
}

TEST(Parity, RefusesALayoutThatCannotBeAndOneThatIsMisspelt) {
  const Workshop workshop;
  auto outcome = workshop.phalanx({"parity", workshop.job(), "--against=tensor=3"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.errors, HasSubstr("parallel.tensor"));
  outcome = workshop.phalanx({"parity", workshop.job(), "--against=tensr=2"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("did you mean `--parallel.tensor`"));
}

}  // namespace
}  // namespace phalanx::system_test
