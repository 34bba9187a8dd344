#include "checkpoint/shard.h"

#include <fmt/format.h>

#include "checkpoint/error.h"

namespace phalanx::checkpoint {

std::string shard_file(int index, int count) {
  return fmt::format("shards/{:03}/shard-{:05}-of-{:05}.h5", index / 256, index, count);
}

std::vector<Stretch> stretches(const ShardInfo& shard) {
  std::vector<Stretch> all;
  std::uint64_t at = 0;
  for (const auto& stored : shard.regions) {
    if (stored.position < at || stored.position > shard.bytes ||
        stored.bytes() > shard.bytes - stored.position)
      throw DamagedError(fmt::format("{}: {} at byte {} does not fit into the file of {} bytes",
                                     shard.file, describe(stored.kind, stored.region),
                                     stored.position, shard.bytes));
    if (stored.position > at) all.push_back({at, stored.position - at, nullptr});
    all.push_back({stored.position, stored.bytes(), &stored});
    at = stored.position + stored.bytes();
  }
  if (at < shard.bytes) all.push_back({at, shard.bytes - at, nullptr});
  return all;
}

}  // namespace phalanx::checkpoint
