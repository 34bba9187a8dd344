#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "checkpoint/error.h"
#include "checkpoint/verify.h"
#include "saved_state.h"

namespace phalanx::checkpoint {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Loads everything as one rank; the error's message, empty when all went well.
std::string try_load(const std::filesystem::path& checkpoint) {
  try {
    expect_state(checkpoint, 1);
    return {};
  } catch (const DamagedError& error) {
    return error.what();
  }
}

TEST(Damage, OfAnyByteOfAShardIsFoundAndNeverLoaded) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1}, 1, 2);
  const auto manifest = read_manifest(checkpoint);
  ASSERT_TRUE(verify(checkpoint, manifest, 2).empty());
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    const auto& shard = manifest.shards[random() % manifest.shards.size()];
    const auto position = random() % shard.bytes;
    const auto mask = static_cast<unsigned char>(1u << (random() % 8));
    flip_bits(checkpoint / shard.file, position, mask);
    const auto damage = verify(checkpoint, manifest, 1);
    ASSERT_EQ(damage.size(), 1u) << shard.file << " byte " << position;
    EXPECT_EQ(damage[0].file, shard.file);
    EXPECT_NE(damage[0].expected, damage[0].found);
    // Data is refused with its name; structure is of no concern to loading.
    const auto message = try_load(checkpoint);
    if (damage[0].part == "structure")
      EXPECT_EQ(message, "");
    else
      EXPECT_THAT(message, AllOf(HasSubstr(shard.file), HasSubstr(damage[0].part),
                                 HasSubstr(damage[0].expected), HasSubstr(damage[0].found)));
    flip_bits(checkpoint / shard.file, position, mask);
  }
  EXPECT_TRUE(verify(checkpoint, manifest, 2).empty());
}

TEST(Damage, OfAnyByteOfTheManifestIsFound) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1}, 1, 1);
  const auto file = checkpoint / "manifest.pb";
  const auto manifest = read_manifest(checkpoint);
  for (std::uint64_t position = 0; position < std::filesystem::file_size(file); ++position) {
    const auto mask = static_cast<unsigned char>(1u << (position % 8));
    flip_bits(file, position, mask);
    EXPECT_THROW(read_manifest(checkpoint), DamagedError) << "byte " << position;
    flip_bits(file, position, mask);
  }
  EXPECT_EQ(read_manifest(checkpoint), manifest);
}

TEST(Damage, OfATruncatedShardIsFoundAtEveryLength) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1}, 1, 1);
  const auto manifest = read_manifest(checkpoint);
  const auto file = checkpoint / manifest.shards[0].file;
  for (auto bytes = manifest.shards[0].bytes; bytes > 8000;) {
    std::filesystem::resize_file(file, bytes -= 7919);
    const auto damage = verify_shard(checkpoint, manifest.shards[0]);
    ASSERT_FALSE(damage.empty());
    EXPECT_EQ(damage[0].part, "file");
    EXPECT_THAT(damage[0].found, HasSubstr(std::to_string(bytes)));
    EXPECT_NE(try_load(checkpoint), "");
  }
}

TEST(Damage, OfAShardThatIsGoneIsFound) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1});
  std::filesystem::remove(checkpoint / shard_file(2, 4));
  const auto damage = verify(checkpoint, read_manifest(checkpoint), 3);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage[0].file, shard_file(2, 4));
  EXPECT_EQ(damage[0].found, "No such file or directory");
  EXPECT_THAT(try_load(checkpoint), HasSubstr("found no such file"));
}

TEST(Damage, InSeveralShardsIsListedWhole) {
  const TemporaryFolder output;
  const auto checkpoint = save_checkpoint(output.path(), {5, 1});
  const auto manifest = read_manifest(checkpoint);
  for (const int part : {0, 3}) {
    const auto& shard = manifest.shards[static_cast<std::size_t>(part)];
    flip_bits(checkpoint / shard.file, shard.regions[0].position, 1);
    flip_bits(checkpoint / shard.file, shard.regions[1].position, 1);
  }
  EXPECT_EQ(verify(checkpoint, manifest, 2).size(), 4u);
}

}  // namespace
}  // namespace phalanx::checkpoint
