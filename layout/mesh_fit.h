#pragma once

#include "config/job.h"
#include "layout/mesh.h"

namespace phalanx::layout {

// The mesh of `ranks` ranks that `parallel` asks for; `data: auto` takes all that the other axes
// leave. Throws LayoutError with the nearest sizes that fit when there is none.
MeshSizes fit_mesh(const config::Parallel& parallel, std::int64_t ranks);

// That the model can be cut as the mesh says: heads, feed-forward channels and tokens among tensor
// ranks, the sequence into two pieces a context rank (Zigzag: Brandon et al. 2023, "Striped Attention";
// Zhu 2024), layers among stages. Throws LayoutError with the nearest that fits.
void check_model_fits(const config::Model& model, const config::Parallel& parallel);

}  // namespace phalanx::layout
