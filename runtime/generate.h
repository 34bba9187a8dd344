#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace phalanx::runtime {

struct GenerateOptions {
  std::string checkpoint;  // directory
  std::string prompt;
  std::int64_t tokens = 100;
  double temperature = 0;  // 0: greedy, the likeliest token each time
  std::uint64_t seed = 1;  // of sampling
  int threads = 1;
};

// Continues a prompt with a checkpoint's model; each piece of text goes to `piece` as it is made.
// The whole prefix is computed for every token, at most the last sequence_length tokens of it.
// Stops early at the end of a document. Throws CheckpointError, StorageError, ConfigError,
// DataError.
void generate(const GenerateOptions& options,
              const std::function<void(const std::string& bytes)>& piece);

}  // namespace phalanx::runtime
