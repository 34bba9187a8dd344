#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace phalanx::reference {

// The file format of Hugging Face's safetensors: eight bytes that say how long the JSON after them
// is, which gives each tensor's type, shape and place, then the bytes of all. fp32 and int64 only.
using NamedTensors = std::map<std::string, at::Tensor>;
NamedTensors read_safetensors(const std::filesystem::path& path);
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors);

}  // namespace phalanx::reference
