#pragma once

#include <array>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "config/job.h"

namespace phalanx::runtime {

// Something that a layout or a model can be in one of several ways: "tensor" 1, 2 or 4.
struct Feature {
  struct Value {
    std::string name;
    std::function<void(config::Job&)> apply;
  };
  std::string name;
  std::vector<Value> values;
};
// All of which every two are to meet. What their values are applied to is the neutral job, which no
// constraint refuses whatever value is added to it alone.
const std::vector<Feature>& features();

inline constexpr int kFeatures = 17;

// A value of each feature, -1 where it is open.
struct LayoutCase {
  std::array<int, kFeatures> values{};

  bool operator==(const LayoutCase&) const = default;
  // `job` with the values of this case.
  config::Job of(config::Job job) const;
  friend std::ostream& operator<<(std::ostream& out, const LayoutCase& layout);
};

// Two values that are to meet in a case.
struct FeaturePair {
  int feature = 0, value = 0, other = 0, other_value = 0;

  bool in(const LayoutCase& layout) const;
  std::string name() const;  // "data 3, tensor 4"
};
std::vector<FeaturePair> all_pairs();

// Whether a layout of at most `ranks` is possible (layout::partition) and each of its values does
// something: a schedule where there is a pipeline, ZeRO where there are replicas, chunks where
// experts are apart. Of an open case, whether some values do not exclude it.
bool is_possible(const LayoutCase& layout, int ranks);

// Whether a possible case has the pair.
bool can_meet(const FeaturePair& pair, int ranks);

// At least `count` cases of at most `ranks`, always the same ones, in which every pair that can
// meet meets: a greedy cover (after Cohen et al. 1997, "The AETG System") repeated until there are
// enough.
std::vector<LayoutCase> layout_cases(int ranks, std::size_t count);

}  // namespace phalanx::runtime
