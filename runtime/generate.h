#pragma once

#include <functional>
#include <string>

#include "protocol/messages.pb.h"

namespace phalanx::runtime {

// Continues a prompt with a checkpoint's model; each piece of text goes to `piece` as it is made.
// The whole prefix is computed for every token, at most the last sequence_length tokens of it.
// Stops early at the end of a document. Throws CheckpointError, StorageError, ConfigError,
// DataError.
void generate(const protocol::Generate& request,
              const std::function<void(const std::string& bytes)>& piece);

}  // namespace phalanx::runtime
