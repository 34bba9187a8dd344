#pragma once

#include <cstdint>
#include <vector>

namespace phalanx::layout {

// The axes of a mesh. Tensor is innermost (its groups are neighbouring ranks), then context, data,
// and pipeline outermost. Experts have no ranks of their own: expert and expert-data divide the
// same ranks that data x context divide (parallel folding, Liu et al. 2025, "MoE Parallel
// Folding"), expert inside.
enum class Axis : std::uint8_t { kPipeline, kData, kContext, kTensor, kExpert, kExpertData };

// A combination of axes.
class Axes {
 public:
  constexpr Axes(Axis axis) : bits_(1U << static_cast<unsigned>(axis)) {}
  constexpr bool has(Axis axis) const { return (bits_ >> static_cast<unsigned>(axis) & 1U) != 0; }
  constexpr Axes operator|(Axes other) const { return Axes(bits_ | other.bits_); }
  constexpr bool operator==(const Axes&) const = default;

 private:
  constexpr explicit Axes(unsigned bits) : bits_(bits) {}
  unsigned bits_;
};
constexpr Axes operator|(Axis a, Axis b) { return Axes(a) | Axes(b); }

// Who sums what: gradients of dense parameters, gradients of experts, everything that is one number
// per step (loss, norm, tokens).
inline constexpr Axes kGradientAxes = Axis::kData | Axis::kContext;
inline constexpr Axes kExpertGradientAxes = Axis::kExpertData;
inline constexpr Axes kModelAxes = Axis::kPipeline | Axis::kTensor;  // one replica of the model
inline constexpr Axes kAllAxes = kModelAxes | kGradientAxes;

struct MeshSizes {
  int pipeline = 1, data = 1, context = 1, tensor = 1;
  int expert = 1;  // divides data * context

  int ranks() const { return pipeline * data * context * tensor; }
  bool operator==(const MeshSizes&) const = default;
};

// Where a rank is on every axis; expert and expert_data follow from data and context.
struct Coordinates {
  int pipeline = 0, data = 0, context = 0, tensor = 0;
  int expert = 0, expert_data = 0;

  bool operator==(const Coordinates&) const = default;
};

// Ranks as a box: rank = ((pipeline * data_size + data) * context_size + context) * tensor_size +
// tensor. Pure arithmetic: nothing here grows with the number of ranks but a group that is asked
// for.
class Mesh {
 public:
  // Sizes of at least 1; expert divides data * context (mesh_fit.h turns a job into such sizes).
  explicit Mesh(const MeshSizes& sizes);

  const MeshSizes& sizes() const { return sizes_; }
  int ranks() const { return sizes_.ranks(); }

  Coordinates coordinates(int rank) const;
  // The rank at these coordinates of pipeline, data, context and tensor.
  int rank(const Coordinates& at) const;

  // How many ranks a group along `axes` has. Axes that share ranks (expert or expert-data with
  // data or context) cannot be combined.
  int size(Axes axes) const;
  // The ranks that differ from `rank` only along `axes`, ascending; `rank` is one of them. Groups
  // along the same axes either are the same or have no rank in common.
  std::vector<int> group(int rank, Axes axes) const;
  // Where `rank` is in that group.
  int index_in_group(int rank, Axes axes) const;

 private:
  // An axis as numbers: neighbours are `stride` ranks apart.
  struct Extent {
    int size, stride;
  };
  Extent extent(Axis axis) const;
  // Of `axes`, outermost first; those of size 1 are left out.
  std::vector<Extent> extents(Axes axes) const;

  MeshSizes sizes_;
};

}  // namespace phalanx::layout
