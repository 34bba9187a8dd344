#pragma once

#include <c10/core/Storage.h>
#include <torch/library.h>

namespace phalanx::pretend {

// The operators of ATen that know the device: memory, views, copies, and reading a value.
void register_operators(torch::Library& library);

// Gives a storage on the device room for `bytes`, with what was there.
void resize_storage(c10::StorageImpl& storage, std::size_t bytes);

}  // namespace phalanx::pretend
