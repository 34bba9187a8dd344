#pragma once

#include <cstdint>

namespace phalanx::kernels {

// How a token weighs the experts that it has chosen.
enum class ExpertWeights : std::uint8_t {
  kSoftmaxOfAll,     // by their probabilities, which sum to less than 1 (Qwen2-MoE)
  kSoftmaxOfChosen,  // by their probabilities over the sum of these (Jiang et al. 2024, "Mixtral")
};

}  // namespace phalanx::kernels
