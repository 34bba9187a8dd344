#pragma once

#include <string>
#include <vector>

namespace phalanx::layout {

struct GalleryDrawing {
  std::string file;  // name in docs/schedules/
  std::string svg;
};

// The drawings of docs/schedules.md: every schedule on 4 ranks with 8 micro-batches, where a stage
// of one-chunk schedules takes 2 for each of its passes and a chunk of two takes 1, and one with
// recompute and sharded parameters in it.
std::vector<GalleryDrawing> schedule_gallery();

}  // namespace phalanx::layout
