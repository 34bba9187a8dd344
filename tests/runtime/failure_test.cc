#include "runtime/failure.h"

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "checkpoint/error.h"
#include "config/config_error.h"
#include "data/error.h"
#include "parallel/tensor_memory.h"
#include "runtime/step.h"

namespace phalanx::runtime {
namespace {

using protocol::ExitCode;
using testing::HasSubstr;
using testing::Not;

template <class Thrown>
Failure failure_of(const Thrown& thrown) {
  try {
    throw thrown;
  } catch (const std::exception&) {
    return current_failure();
  }
}

TEST(Failure, HasTheExitCodeOfItsKindAndSaysWhatToDo) {
  EXPECT_EQ(failure_of(data::DataError("a", "b")).code, ExitCode::kData);
  EXPECT_EQ(failure_of(checkpoint::CheckpointError("a")).code, ExitCode::kNoCheckpoint);
  EXPECT_EQ(failure_of(checkpoint::DamagedError("a")).code, ExitCode::kDiffers);
  EXPECT_EQ(failure_of(storage_error("a", 5)).code, ExitCode::kStorage);
  EXPECT_EQ(failure_of(DivergedError("a")).code, ExitCode::kDiverged);
  EXPECT_EQ(failure_of(std::bad_alloc()).code, ExitCode::kOutOfMemory);
  EXPECT_EQ(failure_of(SystemError("a")).code, ExitCode::kOutOfMemory);
  EXPECT_THAT(failure_of(std::system_error(EAGAIN, std::generic_category())).help,
              HasSubstr("limits"));
  EXPECT_EQ(failure_of(std::runtime_error("a")).code, ExitCode::kTrainingCode);
  const auto said = failure_of(data::DataError("what", "help"));
  EXPECT_EQ(said.message, "what");
  EXPECT_EQ(said.help, "help");
}

template <class Call>
Failure failure_in(const Call& call) {
  try {
    call();
  } catch (...) {
    return current_failure();
  }
  return {};
}

TEST(Failure, OfTorchIsToldWithoutItsStackAndMemoryThatRunsOutIsKnown) {
  parallel::count_tensor_memory();
  const auto memory = failure_in([] { at::empty({std::int64_t{1} << 58}); });
  EXPECT_EQ(memory.code, ExitCode::kOutOfMemory);
  EXPECT_THAT(memory.message, HasSubstr("you tried to allocate 1152921504606846976 bytes"));
  EXPECT_THAT(memory.help, HasSubstr("smaller train.micro_batch"));
  const auto code = failure_in([] { at::empty({2}).view({3}); });
  EXPECT_EQ(code.code, ExitCode::kTrainingCode);
  for (const auto& failure : {memory, code})
    EXPECT_THAT(failure.message, Not(HasSubstr("frame #")));
}

TEST(Failure, OfAJobIsNotHeadedTwice) {
  config::ConfigProblem problem;
  problem.place.source = "job.yaml";
  problem.message = "expected a job";
  const auto failure = failure_of(config::ConfigError({problem}));
  EXPECT_EQ(failure.code, ExitCode::kConfiguration);
  EXPECT_EQ(failure.message, "job.yaml: expected a job");
}

}  // namespace
}  // namespace phalanx::runtime
