#include "launcher/cli/terminal.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "launcher/cli/shown_path.h"

namespace phalanx::launcher {
namespace {

TEST(Terminal, CutsALineToItsColumnsIfItKnowsThem) {
  EXPECT_EQ(fit("step 1/200  loss 5.6", 10), "step 1/200");
  EXPECT_EQ(fit("step 1/200", 80), "step 1/200");
  EXPECT_EQ(fit("step 1/200", 0), "step 1/200");
}

TEST(ShownPath, IsRelativeBelowTheWorkingFolderOnly) {
  const auto here = std::filesystem::current_path();
  EXPECT_EQ(shown(here / "runs" / "tiny"), "runs/tiny");
  EXPECT_EQ(shown(here), ".");
  EXPECT_EQ(shown(here.parent_path() / "elsewhere"), (here.parent_path() / "elsewhere").string());
}

}  // namespace
}  // namespace phalanx::launcher
