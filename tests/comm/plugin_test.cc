#include "comm/plugin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "comm/group_keys.h"

namespace phalanx::comm {
namespace {

using testing::HasSubstr;

class Plugin : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "pluginXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string error_of(std::string_view name,
                       const std::vector<std::filesystem::path>& folders) const {
    try {
      find_backend(name, folders);
    } catch (const SystemError& error) {
      return error.what() + std::string("\n") + error.help();
    }
    return "no error";
  }

  std::filesystem::path folder_;
};

TEST_F(Plugin, BuiltInBackendsNeedNone) {
  for (const Backend& backend : backends()) EXPECT_EQ(&find_backend(backend.name), &backend);
}

TEST_F(Plugin, AMissingOneNamesEveryFileThatWasTried) {
  const std::string error = error_of("other", {folder_ / "a", folder_ / "b"});
  EXPECT_THAT(error, HasSubstr((folder_ / "a" / "libphalanx-other.so").string()));
  EXPECT_THAT(error, HasSubstr((folder_ / "b" / "libphalanx-other.so").string()));
  EXPECT_THAT(error, HasSubstr("launch.backend: native"));
}

TEST_F(Plugin, OneThatCannotBeLoadedSaysWhatTheLoaderSays) {
  std::ofstream(folder_ / plugin_file("broken")) << std::string(200, 'x');
  const std::string error = error_of("broken", {folder_});
  EXPECT_THAT(error, HasSubstr((folder_ / "libphalanx-broken.so").string()));
  EXPECT_THAT(error, HasSubstr("ELF"));
}

TEST_F(Plugin, ALibraryThatIsNoPluginIsRefused) {
  std::filesystem::copy_file(NO_PLUGIN, folder_ / plugin_file("stranger"));
  EXPECT_THAT(error_of("stranger", {folder_}), HasSubstr("found no function phalanx_backend"));
}

TEST_F(Plugin, ThePluginsOfAProgramAreBesideItAndInLib) {
  EXPECT_THAT(plugin_folders("/opt/phalanx/bin/phalanx-worker"),
              testing::ElementsAre("/opt/phalanx/bin", "/opt/phalanx/lib"));
}

TEST(GroupKeys, TellApartMembersOrderAndHowManyTheyMade) {
  GroupKeys one, other;
  const std::uint64_t first = one.next({0, 1});
  EXPECT_NE(one.next({0, 1}), first);
  EXPECT_NE(one.next({1, 0}), first);
  other.next({2, 0});  // groups with other members do not count
  EXPECT_EQ(other.next({0, 1}), first);
  EXPECT_EQ(first % 4, 0u);
}

}  // namespace
}  // namespace phalanx::comm
