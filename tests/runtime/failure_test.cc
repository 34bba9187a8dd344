#include "runtime/failure.h"

#include <gtest/gtest.h>

#include <new>

#include "checkpoint/error.h"
#include "config/config_error.h"
#include "data/error.h"
#include "runtime/step.h"

namespace phalanx::runtime {
namespace {

using protocol::ExitCode;

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
  EXPECT_EQ(failure_of(std::runtime_error("a")).code, ExitCode::kTrainingCode);
  const auto said = failure_of(data::DataError("what", "help"));
  EXPECT_EQ(said.message, "what");
  EXPECT_EQ(said.help, "help");
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
