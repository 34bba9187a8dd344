#include "launcher/node/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file_descriptor.h"

namespace phalanx::node {
namespace {

constexpr std::uint64_t kMaxBytes = 4096;
constexpr int kMaxLines = 20;

}  // namespace

std::string last_lines(const std::filesystem::path& log, std::uint64_t from) {
  const FileDescriptor file(::open(log.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return {};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t start = std::max(from, size > kMaxBytes ? size - kMaxBytes : 0);
  if (start >= size) return {};
  std::string text(size - start, '\0');
  const ssize_t count = ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(start));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));

  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t begin = text.size();
  for (int lines = 0; lines < kMaxLines && begin != std::string::npos && begin > 0; ++lines)
    begin = text.rfind('\n', begin - 1);
  if (begin == std::string::npos || begin == 0) return text;
  return text.substr(begin + 1);
}

void add_line(const std::filesystem::path& log, std::string_view line) {
  const FileDescriptor file(::open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  const std::string whole = std::string(line) + "\n";
  if (file) (void)!::write(file.get(), whole.data(), whole.size());
}

}  // namespace phalanx::node
