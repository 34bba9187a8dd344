#pragma once

#include "base/error.h"

namespace phalanx::checkpoint {

// A checkpoint cannot be used, or was refused: not complete, of another format, does not hold what
// is asked for. A disk that fails is a StorageError.
class CheckpointError : public Error {
 public:
  using Error::Error;
};

// Stored bytes are not what was written: the message names the file, what in it, the checksum
// expected and the one found.
class DamagedError : public CheckpointError {
 public:
  explicit DamagedError(const std::string& what,
                        std::string help =
                            "go on from another checkpoint: `phalanx ckpt ls` "
                            "lists them, --resume=PATH takes one")
      : CheckpointError(what, std::move(help)) {}
};

}  // namespace phalanx::checkpoint
