#include "checkpoint/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "checkpoint/error.h"
#include "checkpoint/verify.h"
#include "saved_state.h"

namespace phalanx::checkpoint {
namespace {

// The datasets that h5py finds, by path.
std::map<std::string, nlohmann::json> read_with_h5py(const std::filesystem::path& file) {
  const std::string command =
      "/usr/bin/python3 '" PHALANX_READ_SHARD "' '" + file.string() + "' 2>&1";
  std::FILE* output = ::popen(command.c_str(), "r");
  std::string text;
  char bytes[65536];
  while (const auto count = std::fread(bytes, 1, sizeof bytes, output)) text.append(bytes, count);
  EXPECT_EQ(::pclose(output), 0) << text;
  std::map<std::string, nlohmann::json> datasets;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto dataset = nlohmann::json::parse(line);
    datasets[dataset["path"]] = dataset;
  }
  return datasets;
}

TEST(Shard, IsReadByH5pyWithTheSameNamesShapesAndValues) {
  const TemporaryFolder folder;
  const auto regions = owned_rows(small_specs(), 3, 1);
  const auto state = owned_state(regions, 7);
  const auto tensors = small_tensors();
  const auto shard = write_shard(folder.path(), shard_file(1, 3), tensors, state.views);
  const auto datasets = read_with_h5py(folder / shard.file);
  ASSERT_EQ(datasets.size(), state.views.size());
  for (const auto& view : state.views) {
    const auto path =
        "/" + view.kind + "/" + view.region.tensor + "/" + std::to_string(view.region.offset[0]);
    ASSERT_TRUE(datasets.contains(path)) << path;
    const auto& dataset = datasets.at(path);
    EXPECT_EQ(dataset["offset"], view.region.offset);
    EXPECT_EQ(dataset["shape"], view.region.extent);
    EXPECT_EQ(dataset["values"].get<std::vector<float>>(),
              std::vector<float>(view.data.begin(), view.data.end()));
    const auto tensor = std::ranges::find(tensors, view.region.tensor, &GlobalTensor::name);
    EXPECT_EQ(dataset["global_shape"], tensor->shape);
  }
}

TEST(Shard, HoldsScalarsBoxesAndEmptyRegionsThatH5pyReads) {
  const TemporaryFolder folder;
  const std::vector<GlobalTensor> tensors{{"scalar", {}}, {"box", {4, 6}}};
  const std::vector<float> one{42}, six{1, 2, 3, 4, 5, 6};
  const std::vector<StateView> views{{"parameter", {"scalar", {}, {}}, one},
                                     {"parameter", {"box", {2, 0}, {2, 3}}, six},
                                     {"parameter", {"box", {2, 3}, {2, 3}}, six},
                                     {"parameter", {"box", {0, 0}, {0, 6}}, {}}};
  const auto shard = write_shard(folder.path(), "a.h5", tensors, views);
  EXPECT_EQ(shard.regions.size(), 3u);
  const auto datasets = read_with_h5py(folder / "a.h5");
  ASSERT_EQ(datasets.size(), 3u);
  EXPECT_EQ(datasets.at("/parameter/scalar/0")["values"], one);
  EXPECT_EQ(datasets.at("/parameter/box/2")["offset"], std::vector<int>({2, 0}));
  EXPECT_EQ(datasets.at("/parameter/box/2_3")["offset"], std::vector<int>({2, 3}));
  EXPECT_EQ(datasets.at("/parameter/box/2_3")["global_shape"], std::vector<int>({4, 6}));
}

TEST(Shard, HoldsEqualBytesForEqualState) {
  const TemporaryFolder folder;
  const auto state = owned_state(owned_rows(small_specs(), 2, 0), 3);
  const auto first = write_shard(folder.path(), "a.h5", small_tensors(), state.views);
  auto second = write_shard(folder.path(), "b.h5", small_tensors(), state.views);
  EXPECT_EQ(read_file(folder / "a.h5"), read_file(folder / "b.h5"));
  second.file = first.file;
  EXPECT_EQ(first, second);
}

TEST(Shard, OfARankThatOwnsNothingIsAFileWithoutRegions) {
  const TemporaryFolder folder;
  const auto shard = write_shard(folder.path(), "a.h5", small_tensors(), {});
  EXPECT_TRUE(shard.regions.empty());
  EXPECT_TRUE(verify_shard(folder.path(), shard).empty());
  EXPECT_TRUE(read_with_h5py(folder / "a.h5").empty());
}

TEST(Shard, TravelsAsBytes) {
  const TemporaryFolder folder;
  const auto state = owned_state(owned_rows(small_specs(), 2, 1), 3);
  const auto shard = write_shard(folder.path(), "a.h5", small_tensors(), state.views);
  EXPECT_EQ(decode_shard(encode(shard)), shard);
  EXPECT_THROW(decode_shard("no shard"), CheckpointError);
}

TEST(Shard, OfTenThousandRanksAreInFoldersOf256) {
  std::map<std::string, int> count;
  for (int rank = 0; rank < 10000; ++rank)
    ++count[std::filesystem::path(shard_file(rank, 10000)).parent_path().string()];
  EXPECT_EQ(count.size(), 40u);
  for (const auto& [folder, files] : count) EXPECT_LE(files, 256) << folder;
  EXPECT_EQ(shard_file(3, 8), "shards/000/shard-00003-of-00008.h5");
}

TEST(Shard, WhoseRegionsDoNotFitItsFileIsDamaged) {
  ShardInfo shard{"a.h5", 100, "", {{"parameter", {"t", {0}, {10}}, 80, ""}}};
  EXPECT_THROW(stretches(shard), DamagedError);
  shard.regions[0].position = ~std::uint64_t{0} - 3;
  EXPECT_THROW(stretches(shard), DamagedError);
}

}  // namespace
}  // namespace phalanx::checkpoint
