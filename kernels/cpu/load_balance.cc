#include <algorithm>

#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
void count_load(const ExpertLoad<T>& a) {
  for (std::int64_t c = 0; c < a.tokens * a.chosen; ++c)
    a.load[a.run.sequence(c / a.chosen) * a.count + a.experts[c]] += 1;
}

template <class T>
void loss_of_tokens(const BalanceLoss<T>& a) {
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    const T* load = a.load + a.run.sequence(t) * a.count;
    a.losses[t] = 0;
    for (std::int64_t e = 0; e < a.count; ++e)
      a.losses[t] += double{a.probabilities[t * a.count + e]} * double{load[e]};
  }
}

template <class T>
void copy_load(const LoadOfTokens<T>& a) {
  for (std::int64_t t = 0; t < a.tokens; ++t)
    std::copy_n(a.load + a.run.sequence(t) * a.count, a.count, a.of_tokens + t * a.count);
}

}  // namespace

template <>
void perform<Cpu>(const ExpertLoad<float>& a) {
  count_load(a);
}
template <>
void perform<Cpu>(const ExpertLoad<double>& a) {
  count_load(a);
}
template <>
void perform<Cpu>(const BalanceLoss<float>& a) {
  loss_of_tokens(a);
}
template <>
void perform<Cpu>(const BalanceLoss<double>& a) {
  loss_of_tokens(a);
}
template <>
void perform<Cpu>(const LoadOfTokens<float>& a) {
  copy_load(a);
}
template <>
void perform<Cpu>(const LoadOfTokens<double>& a) {
  copy_load(a);
}

}  // namespace phalanx::kernels
