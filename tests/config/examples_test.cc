// The job files that people copy: those in examples/, and the one that README shows.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "config/load.h"

namespace phalanx::config {
namespace {

const std::filesystem::path kRoot = PHALANX_SOURCE_DIR;

TEST(Examples, AreValidJobs) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "examples")) {
    ASSERT_EQ(entry.path().extension(), ".yaml");
    EXPECT_NO_THROW(load_job(entry.path())) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 2);
}

TEST(Examples, HoldTheJobThatReadmeShows) {
  const std::string readme = read_file(kRoot / "README.md");
  const std::string open = "```yaml\n";
  const auto begin = readme.find(open);
  ASSERT_NE(begin, std::string::npos);
  const auto from = begin + open.size();
  EXPECT_EQ(readme.substr(from, readme.find("```", from) - from),
            read_file(kRoot / "examples/tiny-code-model.yaml"));
}

}  // namespace
}  // namespace phalanx::config
