#include "layout/region.h"

#include <gtest/gtest.h>

#include <map>

namespace phalanx::layout {
namespace {

config::Model small_llama() {
  config::Model model;
  model.layers = 2;
  model.width = 24;
  model.heads = 4;
  model.kv_heads = 2;
  model.ffn_width = 40;
  model.sequence_length = 16;
  model.vocab_size = 101;
  return model;
}

TEST(Region, PartsOwnEveryRowOnceWhateverTheirNumber) {
  const auto specs = tensor_specs(small_llama());
  for (const int parts : {1, 2, 3, 7, 64, 5000}) {
    std::map<std::string, std::vector<int>> owners;
    for (const auto& spec : specs)
      owners[spec.name].resize(static_cast<std::size_t>(spec.shape[0]));
    for (int part = 0; part < parts; ++part)
      for (const auto& region : owned_rows(specs, parts, part))
        for (std::int64_t row = 0; row < region.extent[0]; ++row)
          ++owners.at(region.tensor).at(static_cast<std::size_t>(region.offset[0] + row));
    for (const auto& [tensor, rows] : owners)
      for (const int count : rows) EXPECT_EQ(count, 1) << tensor << " in " << parts << " parts";
  }
}

TEST(Region, PartsAreEvenUpToARow) {
  const auto specs = tensor_specs(small_llama());
  const auto total = parameter_count(specs);
  for (int part = 0; part < 4; ++part) {
    std::int64_t elements = 0;
    for (const auto& region : owned_rows(specs, 4, part)) elements += region.elements();
    EXPECT_NEAR(static_cast<double>(elements), static_cast<double>(total) / 4, 64);
  }
}

// The published size of Llama 3 8B: 8,030,261,248 parameters.
TEST(TensorSpec, CountsTheParametersOfLlama3As8Billion) {
  config::Model model;
  model.layers = 32;
  model.width = 4096;
  model.heads = 32;
  model.kv_heads = 8;
  model.ffn_width = 14336;
  model.sequence_length = 8192;
  model.vocab_size = 128256;
  EXPECT_EQ(parameter_count(tensor_specs(model)), 8030261248);
}

}  // namespace
}  // namespace phalanx::layout
