#include "tests/pretend_device/fallback.h"

#include <ATen/core/List.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "tests/pretend_device/host_side.h"
#include "tests/pretend_device/host_waits.h"
#include "tests/pretend_device/pretend_device.h"

namespace phalanx::pretend {
namespace {

using c10::Argument;
using c10::IValue;

// `value` with each of its tensors t as change(t).
template <class Change>
IValue with_tensors(const IValue& value, const Change& change) {
  if (value.isTensor()) return change(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> tensors;
    for (const auto& tensor : value.toTensorVector()) tensors.push_back(change(tensor));
    return tensors;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> tensors;
    for (const auto& tensor : value.toOptionalTensorVector())
      tensors.push_back(tensor ? std::optional(change(*tensor)) : std::nullopt);
    return tensors;
  }
  return value;
}

bool is_written(const Argument& argument) {
  return argument.alias_info() != nullptr && argument.alias_info()->isWrite();
}

bool is_view(const Argument& result) {
  return result.alias_info() != nullptr && !result.alias_info()->isWrite();
}

// A scalar is a number to the device, as to a GPU, but has to be there to be written.
void check_place(const at::Tensor& tensor, const Argument& argument,
                 const c10::OperatorHandle& op) {
  const bool fits = !tensor.defined() || tensor.device() == kDevice ||
                    (tensor.dim() == 0 && tensor.is_cpu() && !is_written(argument));
  TORCH_CHECK(fits, op.operator_name(), ": expected all tensors on ", kDevice, ", found `",
              argument.name(), "` on ", tensor.device());
}

// The values that the CPU's kernel gets in the place of the device's.
std::vector<IValue> host_arguments(const c10::OperatorHandle& op,
                                   const std::vector<IValue>& given) {
  HostSide host;
  std::vector<IValue> arguments;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto& argument = op.schema().arguments()[i];
    arguments.push_back(given[i].isDevice() ? IValue(c10::Device(c10::kCPU))
                                            : with_tensors(given[i], [&](const at::Tensor& tensor) {
                                                check_place(tensor, argument, op);
                                                return host.of(tensor);
                                              }));
  }
  return arguments;
}

// An out= argument takes the size of the result.
void take_over_size(const IValue& given, const IValue& host) {
  if (!given.isTensor() || !given.toTensor().defined()) return;
  const auto& tensor = given.toTensor();
  if (tensor.sizes() == host.toTensor().sizes()) return;
  tensor.resize_(host.toTensor().sizes());
  HostSide().of(tensor).copy_(host.toTensor());
}

at::Tensor moved_to_device(const at::Tensor& host) {
  if (!host.defined()) return host;
  auto tensor = at::empty_like(host, host.options().device(kDevice));
  HostSide().of(tensor).copy_(host);
  return tensor;
}

// What a result is on the device: the argument that was written, or something new.
IValue device_result(const c10::OperatorHandle& op, const Argument& result, const IValue& value,
                     const std::vector<IValue>& given) {
  if (!is_written(result)) return with_tensors(value, moved_to_device);
  const auto& arguments = op.schema().arguments();
  const auto same = std::ranges::find_if(arguments, [&](const Argument& argument) {
    return argument.alias_info() != nullptr && *argument.alias_info() == *result.alias_info();
  });
  TORCH_CHECK(same != arguments.end(), op.operator_name(), ": a result that is no argument");
  return given[static_cast<std::size_t>(same - arguments.begin())];
}

// Numbers, and sizes that depend on values, are known to the host only after the device's work.
bool is_read(const c10::OperatorHandle& op) {
  return op.hasTag(at::Tag::data_dependent_output) || op.hasTag(at::Tag::dynamic_output_shape);
}

}  // namespace

void perform_as_cpu(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  TORCH_CHECK(std::ranges::none_of(schema.returns(), is_view), op.operator_name(),
              ": a view that the pretend device does not know");
  const auto given = torch::jit::pop(*stack, schema.arguments().size());
  const auto host = host_arguments(op, given);
  if (is_read(op)) ++host_waits().reads;
  stack->insert(stack->end(), host.begin(), host.end());
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  for (std::size_t i = 0; i < given.size(); ++i)
    if (is_written(schema.arguments()[i])) take_over_size(given[i], host[i]);
  const auto results = torch::jit::pop(*stack, schema.returns().size());
  for (std::size_t i = 0; i < results.size(); ++i)
    stack->push_back(device_result(op, schema.returns()[i], results[i], given));
}

}  // namespace phalanx::pretend
