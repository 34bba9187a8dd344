#include "layout/mesh_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layout/layout_error.h"
#include "tests/layout/llama_8b.h"

namespace phalanx::layout {
namespace {

using testing::HasSubstr;

config::Parallel axes(std::int64_t tensor, std::int64_t pipeline, std::int64_t context) {
  config::Parallel parallel;
  parallel.tensor = tensor;
  parallel.pipeline = pipeline;
  parallel.context = context;
  return parallel;
}

// The error that `function` throws: what it says and its help, on two lines.
template <typename Function>
std::string refusal(const Function& function) {
  try {
    function();
  } catch (const LayoutError& error) {
    return std::string(error.what()) + "\n" + error.help();
  }
  return "accepted";
}

TEST(FitMesh, DataTakesAllRanksThatTheOtherAxesLeave) {
  auto parallel = axes(8, 16, 2);
  parallel.expert = 32;
  EXPECT_EQ(fit_mesh(parallel, 16384), (MeshSizes{16, 64, 2, 8, 32}));
}

TEST(FitMesh, AProductThatDoesNotDivideTheRanksNamesTheNearestSizesOfEachAxis) {
  const auto text = refusal([] { fit_mesh(axes(4, 3, 1), 16); });
  EXPECT_EQ(text,
            "parallel.tensor 4 x pipeline 3 x context 1: expected a divisor of the job's 16 ranks, "
            "found 12\n"
            "parallel.pipeline of 2 or 4 would fit 16 ranks\n"
            "these axes fit 12 or 24 ranks");
}

TEST(FitMesh, MoreThanThereAreRanksNamesTheFewestThatFit) {
  const auto text = refusal([] { fit_mesh(axes(4, 2, 1), 4); });
  EXPECT_THAT(text, HasSubstr("parallel.tensor of 2 would fit 4 ranks"));
  EXPECT_THAT(text, HasSubstr("parallel.pipeline of 1 would fit 4 ranks"));
  EXPECT_THAT(text, HasSubstr("these axes fit 8 ranks"));
}

TEST(FitMesh, AWrongDataAxisNamesTheRightOne) {
  auto parallel = axes(2, 2, 1);
  parallel.data = 3;
  EXPECT_THAT(refusal([&] { fit_mesh(parallel, 16); }),
              HasSubstr("expected the job's 16 ranks, found 12\nparallel.data of 4 (or auto)"));
}

TEST(FitMesh, ExpertsAreFoldedOverDataAndContext) {
  auto parallel = axes(1, 1, 2);
  parallel.expert = 8;
  EXPECT_EQ(fit_mesh(parallel, 16).expert, 8);
  parallel.expert = 6;
  EXPECT_THAT(refusal([&] { fit_mesh(parallel, 16); }),
              HasSubstr("found 6\nparallel.expert of 4 or 8 would fit"));
}

TEST(ModelFits, TensorRanksShareHeadsAndMayShareAKeyValueHead) {
  check_model_fits(llama_8b(), axes(8, 1, 1));
  check_model_fits(llama_8b(), axes(32, 1, 1));  // four ranks a key-value head
  EXPECT_THAT(refusal([] { check_model_fits(llama_8b(), axes(6, 1, 1)); }),
              HasSubstr("found 6\n4 or 8 would fit"));
  EXPECT_THAT(refusal([] { check_model_fits(llama_8b(), axes(64, 1, 1)); }),
              HasSubstr("found 64\n32 would fit"));
}

TEST(ModelFits, ExpertRanksHaveEquallyManyExperts) {
  auto model = llama_8b();
  config::Parallel parallel;
  parallel.expert = 3;
  EXPECT_THAT(refusal([&] { check_model_fits(model, parallel); }),
              HasSubstr("expected 1 with the preset llama, which has no experts, found 3"));
  model.preset = "mixtral";
  model.experts = 8;
  EXPECT_THAT(refusal([&] { check_model_fits(model, axes(6, 1, 1)); }),
              HasSubstr("divides model.heads = 32, and divides or is a multiple of"));
  EXPECT_THAT(refusal([&] { check_model_fits(model, parallel); }),
              HasSubstr("a divisor of model.experts = 8, found 3\n2 or 4 would fit"));
  parallel.expert = 4;
  check_model_fits(model, parallel);
}

TEST(ModelFits, TensorRanksShareTheTokensOfASequenceEvenly) {
  auto model = llama_8b();
  model.sequence_length = 8188;
  check_model_fits(model, axes(4, 1, 1));
  EXPECT_THAT(refusal([&] { check_model_fits(model, axes(8, 1, 1)); }),
              HasSubstr("found 8\n4 or "));
}

TEST(ModelFits, ContextRanksHoldTwoPiecesOfTheSequenceEach) {
  check_model_fits(llama_8b(), axes(1, 1, 16));
  EXPECT_THAT(refusal([] { check_model_fits(llama_8b(), axes(1, 1, 3)); }),
              HasSubstr("2 or 4 would fit; so would a model.sequence_length of 8190 or 8196"));
}

TEST(ModelFits, RecomputeIsOneValueOrOneForEachStage) {
  auto parallel = axes(1, 4, 1);
  parallel.virtual_stages = 2;
  for (const std::size_t values : {1, 8}) {
    parallel.recompute.assign(values, "full");
    check_model_fits(llama_8b(), parallel);
  }
  parallel.recompute.assign(4, "full");
  EXPECT_THAT(
      refusal([&] { check_model_fits(llama_8b(), parallel); }),
      HasSubstr("parallel.recompute: expected one value, or one for each of the 8 stages of "
                "parallel.pipeline 4 x virtual_stages 2, found 4"));
}

TEST(ModelFits, StagesAreAtMostTheLayersWithEmbeddingAndHead) {
  auto parallel = axes(1, 17, 1);
  parallel.virtual_stages = 2;
  check_model_fits(llama_8b(), parallel);
  parallel.pipeline = 16;
  parallel.virtual_stages = 3;
  EXPECT_THAT(refusal([&] { check_model_fits(llama_8b(), parallel); }),
              HasSubstr("found 48\nparallel.pipeline of 11, or parallel.virtual_stages of 2, "
                        "would fit"));
}

}  // namespace
}  // namespace phalanx::layout
