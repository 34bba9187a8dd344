#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/file_descriptor.h"
#include "launcher/control/decision.pb.h"

namespace phalanx::control {

// The events of an attempt in the order in which they were decided on, so that a controller that is
// started again knows what its predecessor knew. A record is the payload's length (4 bytes, little
// endian), XXH3-64 of the payload (8 bytes), and the payload, a Logged. Written with write(2) and
// not synced: it is to outlive the process, not the node.
class WriteAheadLog {
 public:
  // Opens or creates the log and hands all its records to `replay`, in order. A torn or damaged
  // record ends the log: it and what follows are cut off. Throws StorageError.
  WriteAheadLog(const std::filesystem::path& path,
                const std::function<void(const Logged&)>& replay);

  // Never throws: what a full disk refuses is kept in memory and written with a later append.
  void append(const Logged& record);
  // Everything appended is in the file.
  bool complete() const { return waiting_.empty(); }

 private:
  FileDescriptor file_;
  std::string path_;
  std::uint64_t size_ = 0;  // of whole records
  std::string waiting_;
  bool warned_ = false;
};

}  // namespace phalanx::control
