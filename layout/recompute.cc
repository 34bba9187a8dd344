#include "layout/recompute.h"

#include <fmt/format.h>

#include <algorithm>

#include "layout/layout_error.h"

namespace phalanx::layout {
namespace {

Recompute recompute_named(const std::string& word) {
  if (word == "full") return Recompute::kFull;
  return word == "selective" ? Recompute::kSelective : Recompute::kNone;
}

}  // namespace

Recompute recompute_of(const config::Parallel& parallel, int stage) {
  const auto& words = parallel.recompute;
  return recompute_named(words.size() == 1 ? words.front()
                                           : words.at(static_cast<std::size_t>(stage)));
}

bool recomputes(const config::Parallel& parallel, Recompute what) {
  return std::ranges::any_of(
      parallel.recompute, [&](const std::string& word) { return recompute_named(word) == what; });
}

void check_recompute(const config::Parallel& parallel) {
  const auto found = std::ssize(parallel.recompute);
  // Without a pipeline the layers are stages of one rank, all alike.
  const auto stages = parallel.pipeline == 1 ? 1 : parallel.pipeline * parallel.virtual_stages;
  if (found == 1 || found == stages) return;
  throw LayoutError(
      fmt::format("parallel.recompute: expected one value, or one for each of the {} stages of "
                  "parallel.pipeline {} x virtual_stages {}, found {}",
                  stages, parallel.pipeline, parallel.virtual_stages, found),
      "a single value holds for every stage; a list is in the order of the model");
}

}  // namespace phalanx::layout
