#pragma once

#include <c10/core/DeviceType.h>

#include "kernels/operations/adamw.h"
#include "kernels/operations/attention.h"
#include "kernels/operations/bias.h"
#include "kernels/operations/cross_entropy.h"
#include "kernels/operations/embedding.h"
#include "kernels/operations/expert_rows.h"
#include "kernels/operations/gelu.h"
#include "kernels/operations/layer_norm.h"
#include "kernels/operations/load_balance.h"
#include "kernels/operations/product.h"
#include "kernels/operations/rms_norm.h"
#include "kernels/operations/rope.h"
#include "kernels/operations/router.h"
#include "kernels/operations/sigmoid_gate.h"
#include "kernels/operations/squared_norm.h"
#include "kernels/operations/swiglu.h"
#include "kernels/operations/total.h"

// What every device does for the functions of this folder. These check their tensors, allocate the
// results and say by an operation, a struct of plain memory and sizes, what to compute; a device is
// a row of functions, one for each operation.
namespace phalanx::kernels {

// The devices we have kernels for.
struct Cpu;
struct Cuda;

// Computes it on the device. Memory is the device's; on one with streams, after and before all else
// on its default stream, and the host does not wait.
template <class Device, class Operation>
void perform(const Operation& operation);

template <class Operation>
struct Performer {
  void (*function)(const Operation&);
};
template <class... Operations>
struct Performers : Performer<Operations>... {
  template <class Device>
  static Performers of() {
    return {Performer<Operations>{&perform<Device, Operations>}...};
  }
};

// For each type of activations.
template <class T>
using ActivationPerformers =
    Performers<RmsNormForward<T>, RmsNormBackward<T>, LayerNormForward<T>, LayerNormBackward<T>,
               RopeTurn<T>, SwigluForward<T>, SwigluBackward<T>, GeluForward<T>, GeluBackward<T>,
               BiasForward<T>, BiasBackward<T>, EmbeddingForward<T>, EmbeddingBackward<T>,
               CrossEntropy<T>, LargestLogits<T>, ExponentialSums<T>, CrossEntropyOfPart<T>,
               GateForward<T>, GateBackward<T>, GatherRows<T>, AddRows<T>, AddRowsBackward<T>,
               Product<T, T>, AttentionForward<T, T>, AttentionBackward<T, T>>;
// For each type of sums.
template <class T>
using SumPerformers = Performers<Route<T>, RouteBackward<T>, ExpertLoad<T>, BalanceLoss<T>,
                                 LoadOfTokens<T>, AdamWUpdate<T>, SquaredNorm<T>>;
using MixedPerformers = Performers<Product<Bf16, float>, AttentionForward<Bf16, float>,
                                   AttentionBackward<Bf16, float>, OrderByExpert, Total>;

struct DeviceRow : ActivationPerformers<float>,
                   ActivationPerformers<double>,
                   ActivationPerformers<Bf16>,
                   SumPerformers<float>,
                   SumPerformers<double>,
                   MixedPerformers {
  template <class Device>
  static DeviceRow of() {
    return {ActivationPerformers<float>::of<Device>(), ActivationPerformers<double>::of<Device>(),
            ActivationPerformers<Bf16>::of<Device>(),  SumPerformers<float>::of<Device>(),
            SumPerformers<double>::of<Device>(),       MixedPerformers::of<Device>()};
  }
};

// The row of a device: the CPU's is always there, others are registered by what loads them, before
// the first tensor on the device; the row must live on. A test may put another in the CPU's place.
const DeviceRow& row_of(c10::DeviceType device);
void register_row(c10::DeviceType device, const DeviceRow& row);

template <class Operation>
void perform_on(c10::DeviceType device, const Operation& operation) {
  static_cast<const Performer<Operation>&>(row_of(device)).function(operation);
}

}  // namespace phalanx::kernels
