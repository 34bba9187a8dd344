#pragma once

#include <string>

namespace google::protobuf {
class Descriptor;
}

namespace phalanx::config {

// What to do about a key of the section at `path` that does not exist: lines of help with the key
// that was meant, also if it belongs to another section, and those that there are.
std::string help_for_unknown_key(const google::protobuf::Descriptor& section,
                                 const std::string& path, const std::string& key);

// The same for a flag, "train.stpes".
std::string help_for_unknown_flag(const std::string& path);

}  // namespace phalanx::config
