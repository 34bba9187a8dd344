#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
void softmax(const T* logits, std::int64_t count, T* out) {
  const T largest = *std::max_element(logits, logits + count);
  T sum = 0;
  for (std::int64_t e = 0; e < count; ++e) sum += out[e] = std::exp(logits[e] - largest);
  for (std::int64_t e = 0; e < count; ++e) out[e] /= sum;
}

// Takes the best of what is left, `chosen` times. Numbers that are none are chosen last.
template <class T>
void choose(const T* probabilities, const T* bias, std::int64_t count, std::int64_t chosen,
            std::vector<bool>& taken, std::int64_t* experts) {
  std::fill(taken.begin(), taken.end(), false);
  for (std::int64_t place = 0; place < chosen; ++place) {
    std::int64_t best = -1;
    for (std::int64_t e = 0; e < count; ++e) {
      if (taken[static_cast<std::size_t>(e)]) continue;
      if (best < 0 || probabilities[e] + bias[e] > probabilities[best] + bias[best]) best = e;
    }
    taken[static_cast<std::size_t>(best)] = true;
    experts[place] = best;
  }
}

template <class T>
void weigh(const T* probabilities, const std::int64_t* experts, std::int64_t chosen,
           ExpertWeights kind, T* weights) {
  T sum = 0;
  for (std::int64_t j = 0; j < chosen; ++j) sum += weights[j] = probabilities[experts[j]];
  if (kind == ExpertWeights::kSoftmaxOfAll) return;
  for (std::int64_t j = 0; j < chosen; ++j) weights[j] /= sum;
}

// Adds the gradient of logits through a softmax p, d = p * (dp - sum(p * dp)), at `at(i)`.
template <class T, class At>
void add_softmax_backward(const T* p, const T* dp, std::int64_t count, T* dlogits, const At& at) {
  T along = 0;
  for (std::int64_t i = 0; i < count; ++i) along += p[i] * dp[i];
  for (std::int64_t i = 0; i < count; ++i) dlogits[at(i)] += p[i] * (dp[i] - along);
}

template <class T>
void route_all(const Route<T>& a) {
  std::vector<bool> taken(static_cast<std::size_t>(a.count));
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    T *probabilities = a.probabilities + t * a.count, *weights = a.weights + t * a.chosen;
    std::int64_t* experts = a.experts + t * a.chosen;
    softmax(a.logits + t * a.count, a.count, probabilities);
    choose(probabilities, a.bias, a.count, a.chosen, taken, experts);
    weigh(probabilities, experts, a.chosen, a.kind, weights);
  }
}

template <class T>
void route_all_backward(const RouteBackward<T>& a) {
  std::vector<T> dp(static_cast<std::size_t>(a.count));
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    const auto* experts = a.experts + t * a.chosen;
    const T* dw = a.dweights + t * a.chosen;
    T* dl = a.dlogits + t * a.count;
    std::fill(dp.begin(), dp.end(), T(0));
    if (a.dprobabilities != nullptr)
      std::copy_n(a.dprobabilities + t * a.count, a.count, dp.begin());
    if (a.kind == ExpertWeights::kSoftmaxOfAll)
      for (std::int64_t j = 0; j < a.chosen; ++j) dp[static_cast<std::size_t>(experts[j])] += dw[j];
    else  // is a softmax over the chosen logits alone
      add_softmax_backward(a.weights + t * a.chosen, dw, a.chosen, dl,
                           [&](std::int64_t j) { return experts[j]; });
    add_softmax_backward(a.probabilities + t * a.count, dp.data(), a.count, dl,
                         [](std::int64_t e) { return e; });
  }
}

}  // namespace

template <>
void perform<Cpu>(const Route<float>& a) {
  route_all(a);
}
template <>
void perform<Cpu>(const Route<double>& a) {
  route_all(a);
}
template <>
void perform<Cpu>(const RouteBackward<float>& a) {
  route_all_backward(a);
}
template <>
void perform<Cpu>(const RouteBackward<double>& a) {
  route_all_backward(a);
}

}  // namespace phalanx::kernels
