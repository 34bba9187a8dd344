#include "kernels/router.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/dispatch.h"

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

}  // namespace

Routing route(const at::Tensor& logits, const at::Tensor& bias, std::int64_t chosen,
              ExpertWeights kind) {
  const std::int64_t tokens = logits.size(0), count = logits.size(1);
  check(logits.is_contiguous() && bias.numel() == count && 0 < chosen && chosen <= count,
        "router: expected logits [tokens, experts], a bias for each, and enough experts");
  Routing routing{at::empty_like(logits), at::empty({tokens, chosen}, at::kLong),
                  at::empty({tokens, chosen}, logits.options())};
  for_element_type(logits, [&]<class T>(T) {
    const T *from = logits.const_data_ptr<T>(), *biases = bias.const_data_ptr<T>();
    T* probabilities = routing.probabilities.mutable_data_ptr<T>();
    T* weights = routing.weights.mutable_data_ptr<T>();
    auto* experts = routing.experts.mutable_data_ptr<std::int64_t>();
    std::vector<bool> taken(static_cast<std::size_t>(count));
    for (std::int64_t t = 0; t < tokens; ++t, from += count, probabilities += count) {
      softmax(from, count, probabilities);
      choose(probabilities, biases, count, chosen, taken, experts + t * chosen);
      weigh(probabilities, experts + t * chosen, chosen, kind, weights + t * chosen);
    }
  });
  return routing;
}

at::Tensor route_backward(const at::Tensor& dweights, const at::Tensor& dprobabilities,
                          const Routing& routing, ExpertWeights kind) {
  const std::int64_t tokens = routing.probabilities.size(0), count = routing.probabilities.size(1),
                     chosen = routing.experts.size(1);
  check(dweights.is_contiguous() && dweights.sizes() == routing.weights.sizes(),
        "router: dweights must have the shape of the weights");
  auto dlogits = at::zeros_like(routing.probabilities);
  const bool penalized = dprobabilities.defined();
  for_element_type(dweights, [&]<class T>(T) {
    std::vector<T> dp(static_cast<std::size_t>(count));
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto* experts = routing.experts.const_data_ptr<std::int64_t>() + t * chosen;
      const T* dw = dweights.const_data_ptr<T>() + t * chosen;
      const T* p = routing.probabilities.const_data_ptr<T>() + t * count;
      T* dl = dlogits.template mutable_data_ptr<T>() + t * count;
      std::fill(dp.begin(), dp.end(), T(0));
      if (penalized) std::copy_n(dprobabilities.const_data_ptr<T>() + t * count, count, dp.begin());
      if (kind == ExpertWeights::kSoftmaxOfAll)
        for (std::int64_t j = 0; j < chosen; ++j) dp[static_cast<std::size_t>(experts[j])] += dw[j];
      else  // is a softmax over the chosen logits alone
        add_softmax_backward(routing.weights.const_data_ptr<T>() + t * chosen, dw, chosen, dl,
                             [&](std::int64_t j) { return experts[j]; });
      add_softmax_backward(p, dp.data(), count, dl, [](std::int64_t e) { return e; });
    }
  });
  return dlogits;
}

}  // namespace phalanx::kernels
