#pragma once

#include <yaml-cpp/yaml.h>

#include <string>

namespace phalanx::config {

// The one document in `text`; null if there is none. Throws YAML::Exception with a mark for what is
// no YAML, and for anything after the document.
YAML::Node parse_document(const std::string& text);

}  // namespace phalanx::config
