#include "checkpoint/load.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "base/check.h"
#include "checkpoint/error.h"
#include "checkpoint/overlap.h"
#include "checkpoint/shard_reader.h"

namespace phalanx::checkpoint {
namespace {

constexpr const char* kHelp =
    "`phalanx ckpt verify` lists all damage; resume from an older checkpoint with --resume=PATH";

// The views wanted, found by kind and tensor, and how many elements of each are there.
class Wanted {
 public:
  explicit Wanted(std::span<const MutableStateView> views)
      : views_(views), filled_(views.size(), 0) {
    for (std::size_t i = 0; i < views.size(); ++i) {
      check(std::cmp_equal(views[i].data.size(), views[i].region.elements()),
            "a region's memory has its size");
      by_tensor_[{views[i].kind, views[i].region.tensor}].push_back(i);
    }
  }

  // The views that share elements with a stored region.
  std::vector<std::size_t> touched_by(const StoredRegion& stored) const {
    std::vector<std::size_t> touched;
    const auto found = by_tensor_.find({stored.kind, stored.region.tensor});
    if (found == by_tensor_.end()) return touched;
    for (const auto i : found->second)
      if (overlap(stored.region, views_[i].region)) touched.push_back(i);
    return touched;
  }

  void fill(std::size_t i, const layout::Region& from, std::span<const float> data) {
    filled_[i] += copy_overlap(from, data, views_[i].region, views_[i].data);
  }

  void refuse_holes(const std::filesystem::path& directory) const {
    for (std::size_t i = 0; i < views_.size(); ++i)
      if (filled_[i] != views_[i].region.elements())
        throw CheckpointError(fmt::format("{}: expected {} elements of {}, found {}",
                                          directory.string(), views_[i].region.elements(),
                                          describe(views_[i].kind, views_[i].region), filled_[i]));
  }

 private:
  std::span<const MutableStateView> views_;
  std::vector<std::int64_t> filled_;
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_tensor_;
};

void load_region(ShardReader& reader, const StoredRegion& stored,
                 const std::vector<std::size_t>& touched, Wanted& wanted) {
  const auto found =
      reader.read(stored, [&](const layout::Region& rows, std::span<const float> data) {
        for (const auto i : touched) wanted.fill(i, rows, data);
      });
  if (found != stored.checksum)
    throw DamagedError(fmt::format("{}: {}: expected checksum {}, found {}", reader.path(),
                                   describe(stored.kind, stored.region), stored.checksum, found),
                       kHelp);
}

}  // namespace

void load(const std::filesystem::path& directory, const Manifest& manifest,
          std::span<const MutableStateView> views) {
  Wanted wanted(views);
  for (const auto& shard : manifest.shards) {
    std::optional<ShardReader> reader;
    for (const auto& stored : shard.regions) {
      const auto touched = wanted.touched_by(stored);
      if (touched.empty()) continue;
      if (!reader) reader.emplace(directory, shard);
      load_region(*reader, stored, touched, wanted);
    }
  }
  wanted.refuse_holes(directory);
}

}  // namespace phalanx::checkpoint
