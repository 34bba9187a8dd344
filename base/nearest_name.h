#pragma once

#include <span>
#include <string>
#include <string_view>

namespace phalanx {

// The name in `names` that `misspelt` most likely meant (optimal string alignment distance at most
// a third of its length, at least 1); empty when none is near.
std::string nearest_name(std::string_view misspelt, std::span<const std::string> names);

}  // namespace phalanx
