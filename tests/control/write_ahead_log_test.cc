#include "launcher/control/write_ahead_log.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/control/run_folder.h"

namespace phalanx::control {
namespace {

Logged record(int node, double now) {
  Logged logged;
  logged.set_now(now);
  logged.mutable_event()->mutable_attached()->set_node(node);
  return logged;
}

std::vector<int> nodes_in(const std::filesystem::path& path) {
  std::vector<int> nodes;
  WriteAheadLog log(path, [&](const Logged& logged) {
    EXPECT_EQ(logged.now(), logged.event().attached().node() + 0.5);
    nodes.push_back(logged.event().attached().node());
  });
  return nodes;
}

void append(const std::filesystem::path& path, int node) {
  WriteAheadLog log(path, [](const Logged&) {});
  log.append(record(node, node + 0.5));
  EXPECT_TRUE(log.complete());
}

TEST(WriteAheadLog, ReplaysWhatWasAppendedInOrder) {
  const RunFolder folder;
  const auto path = folder.path() / "log";
  for (const int node : {3, 1, 2}) append(path, node);
  EXPECT_EQ(nodes_in(path), (std::vector<int>{3, 1, 2}));
}

TEST(WriteAheadLog, GoesOnAfterARecordTornAtAnyByte) {
  const RunFolder folder;
  const auto path = folder.path() / "log";
  append(path, 1);
  const std::size_t first = std::filesystem::file_size(path);
  append(path, 2);
  const std::string whole = read_file(path);
  for (std::size_t size = first; size < whole.size(); ++size) {
    write_file_atomically(path, whole.substr(0, size));
    EXPECT_EQ(nodes_in(path), (std::vector<int>{1})) << "torn after byte " << size;
    append(path, 7);
    EXPECT_EQ(nodes_in(path), (std::vector<int>{1, 7})) << "torn after byte " << size;
  }
}

TEST(WriteAheadLog, EndsAtARecordThatIsNotAsWritten) {
  const RunFolder folder;
  const auto path = folder.path() / "log";
  append(path, 1);
  const std::size_t first = std::filesystem::file_size(path);
  append(path, 2);
  const std::string whole = read_file(path);
  for (std::size_t byte = first; byte < whole.size(); ++byte) {
    std::string damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 0x10);
    write_file_atomically(path, damaged);
    EXPECT_EQ(nodes_in(path), (std::vector<int>{1})) << "damaged at byte " << byte;
  }
}

TEST(WriteAheadLog, KeepsInMemoryWhatAFullDiskRefuses) {
  const RunFolder folder;
  const auto path = folder.path() / "log";
  WriteAheadLog log(path, [](const Logged&) {});
  const FileSizeLimit limit(1);
  log.append(record(1, 1.5));
  EXPECT_FALSE(log.complete());
  EXPECT_EQ(std::filesystem::file_size(path), 0u);
  limit.lift();
  log.append(record(2, 2.5));
  EXPECT_TRUE(log.complete());
  EXPECT_EQ(nodes_in(path), (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace phalanx::control
