#include "tests/reference/safetensors.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/file.h"

namespace phalanx::reference {
namespace {

at::ScalarType type_of(const std::string& dtype) {
  check(dtype == "F32" || dtype == "I64", "safetensors: expected F32 or I64, found " + dtype);
  return dtype == "F32" ? at::kFloat : at::kLong;
}

std::string_view bytes_of(const at::Tensor& tensor) {
  check(tensor.is_contiguous(), "safetensors: only contiguous tensors are written");
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace

NamedTensors read_safetensors(const std::filesystem::path& path) {
  const auto content = read_file(path);
  std::uint64_t length = 0;
  check(content.size() >= sizeof length, "safetensors: no header: " + path.string());
  std::memcpy(&length, content.data(), sizeof length);
  const auto data = sizeof length + length;
  check(data <= content.size(), "safetensors: the header is cut short: " + path.string());
  const auto header =
      nlohmann::json::parse(std::string_view(content).substr(sizeof length, length));

  NamedTensors tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    auto tensor = at::empty(entry.at("shape").get<std::vector<std::int64_t>>(),
                            type_of(entry.at("dtype").get<std::string>()));
    const auto [begin, end] = entry.at("data_offsets").get<std::pair<std::size_t, std::size_t>>();
    check(end - begin == tensor.nbytes() && data + end <= content.size(),
          "safetensors: the bytes of " + name + " are not those of its shape");
    std::memcpy(tensor.mutable_data_ptr(), content.data() + data + begin, tensor.nbytes());
    tensors.emplace(name, tensor);
  }
  return tensors;
}

void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors) {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const auto begin = data.size();
    data += bytes_of(tensor);
    header[name] = {{"dtype", tensor.scalar_type() == at::kFloat ? "F32" : "I64"},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {begin, data.size()}}};
  }
  const auto text = header.dump();
  const std::uint64_t length = text.size();
  std::string content(reinterpret_cast<const char*>(&length), sizeof length);
  write_file_atomically(path, content + text + data);
}

}  // namespace phalanx::reference
