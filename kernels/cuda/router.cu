#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

// A thread routes one token; its experts are few.
namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
__device__ void softmax(const T* logits, std::int64_t count, T* out) {
  T largest = logits[0], sum = 0;
  for (std::int64_t e = 1; e < count; ++e) largest = Larger{}(largest, logits[e]);
  for (std::int64_t e = 0; e < count; ++e) sum += out[e] = std::exp(logits[e] - largest);
  for (std::int64_t e = 0; e < count; ++e) out[e] /= sum;
}

__device__ bool is_among(const std::int64_t* experts, std::int64_t count, std::int64_t expert) {
  for (std::int64_t i = 0; i < count; ++i)
    if (experts[i] == expert) return true;
  return false;
}

// Takes the best of what is left; of equal ones the first, numbers that are none last.
template <class T>
__device__ void choose(const T* probabilities, const T* bias, std::int64_t count,
                       std::int64_t chosen, std::int64_t* experts) {
  for (std::int64_t place = 0; place < chosen; ++place) {
    std::int64_t best = -1;
    for (std::int64_t e = 0; e < count; ++e) {
      if (is_among(experts, place, e)) continue;
      if (best < 0 || probabilities[e] + bias[e] > probabilities[best] + bias[best]) best = e;
    }
    experts[place] = best;
  }
}

template <class T>
void run(const Route<T>& a) {
  for_each(a.tokens, [a] __device__(std::int64_t token) {
    T *probabilities = a.probabilities + token * a.count, *weights = a.weights + token * a.chosen;
    std::int64_t* experts = a.experts + token * a.chosen;
    softmax(a.logits + token * a.count, a.count, probabilities);
    choose(probabilities, a.bias, a.count, a.chosen, experts);
    T sum = 0;
    for (std::int64_t j = 0; j < a.chosen; ++j) sum += weights[j] = probabilities[experts[j]];
    if (a.kind == ExpertWeights::kSoftmaxOfChosen)
      for (std::int64_t j = 0; j < a.chosen; ++j) weights[j] /= sum;
  });
}

// With dp the gradient of probabilities p: dlogits = p * (dp - sum(p * dp)). Chosen weights that
// are a softmax over the chosen logits have the same formula over these.
template <class T>
void run(const RouteBackward<T>& a) {
  for_each(a.tokens, [a] __device__(std::int64_t token) {
    const auto* experts = a.experts + token * a.chosen;
    const T *dw = a.dweights + token * a.chosen, *w = a.weights + token * a.chosen;
    const T* p = a.probabilities + token * a.count;
    T* dlogits = a.dlogits + token * a.count;  // dp until the last loop
    const bool of_all = a.kind == ExpertWeights::kSoftmaxOfAll;
    T along = 0, along_chosen = 0;
    for (std::int64_t e = 0; e < a.count; ++e)
      dlogits[e] = a.dprobabilities == nullptr ? T(0) : a.dprobabilities[token * a.count + e];
    for (std::int64_t j = 0; j < a.chosen; ++j) {
      if (of_all) dlogits[experts[j]] += dw[j];
      along_chosen += w[j] * dw[j];
    }
    for (std::int64_t e = 0; e < a.count; ++e) along += p[e] * dlogits[e];
    for (std::int64_t e = 0; e < a.count; ++e) dlogits[e] = p[e] * (dlogits[e] - along);
    for (std::int64_t j = 0; j < a.chosen && !of_all; ++j)
      dlogits[experts[j]] += w[j] * (dw[j] - along_chosen);
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_SUMS(Route)
PHALANX_CUDA_PERFORMS_SUMS(RouteBackward)

}  // namespace phalanx::kernels
