#include "base/error.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace phalanx {
namespace {

TEST(StorageError, SaysWhatTheSystemSaidAndWhatToDoAboutIt) {
  const auto full = storage_error("a: write", ENOSPC);
  EXPECT_STREQ(full.what(), "a: write: No space left on device");
  EXPECT_EQ(full.help(), "make room on this disk, or name a folder on another one");
  EXPECT_NE(storage_error("a: write", EIO).help(), full.help());
}

TEST(StorageError, OfAFileThatCannotBeOpenedOrWrittenHasHelp) {
  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto help_of = [](const auto& act) {
    try {
      act();
    } catch (const StorageError& error) {
      return error.help();
    }
    return std::string("nothing was thrown");
  };
  EXPECT_EQ(help_of([&] { write_all(full, "x", "/dev/full"); }), storage_error("", ENOSPC).help());
  EXPECT_EQ(help_of([] { (void)read_file("/nope/nothing"); }), storage_error("", ENOENT).help());
}

}  // namespace
}  // namespace phalanx
