#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace phalanx::data {

// A folder of a test's own, removed with all in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "phalanx_data_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(std::string_view name, std::string_view content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

  // The names in it, so that tests see what was left behind.
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

// What `call` throws: "what() | help()"; empty when it throws no E.
template <class E, class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const E& error) {
    return std::string(error.what()) + " | " + error.help();
  }
  return {};
}

// A Python source that differs for every `seed`.
inline std::string python_source(int seed, int functions) {
  std::string text = "\"\"\"Module " + std::to_string(seed) + ".\"\"\"\nimport os\n\n";
  for (int i = 0; i < functions; ++i)
    text += "def function_" + std::to_string(seed * 31 + i) + "(x):\n    return x + " +
            std::to_string(i * seed) + "\n\n";
  return text;
}

}  // namespace phalanx::data
