#include "launcher/control/claim.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "protocol/exit_code.h"

namespace phalanx::control {
namespace {

Event claimed(std::uint64_t generation) {
  Event event;
  event.mutable_claimed()->set_generation(generation);
  return event;
}

Event refused(std::uint64_t generation, protocol::ExitCode code, const std::string& message) {
  Event event;
  event.mutable_claim_refused()->set_generation(generation);
  event.mutable_claim_refused()->set_exit_code(static_cast<int>(code));
  event.mutable_claim_refused()->set_message(message);
  return event;
}

bool holds(const std::filesystem::path& path, const std::string& claimant) {
  try {
    return read_file(path) == claimant;
  } catch (const StorageError&) {
    return false;
  }
}

}  // namespace

Event claim_generation(const protocol::RunDirectory& directory, std::uint64_t generation,
                       const std::string& claimant) {
  const std::filesystem::path path = directory.generation(generation);
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file && errno != EEXIST)
    return refused(generation, protocol::ExitCode::kStorage,
                   describe_errno(path.string() + ": open"));
  if (!file && !holds(path, claimant))
    return refused(generation, protocol::ExitCode::kRendezvous,
                   fmt::format("{} exists: another controller has begun generation {} of this run",
                               path.string(), generation));
  if (!file) return claimed(generation);
  try {
    write_all(file, claimant, path.string());
  } catch (const StorageError& error) {
    log::warn("{}; the claim itself stands", error.what());
  }
  return claimed(generation);
}

std::uint64_t last_claimed_generation(const protocol::RunDirectory& directory) {
  constexpr std::string_view kPrefix = "generation-";
  std::uint64_t last = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory.control(), ignored)) {
    const std::string name = entry.path().filename().string();
    std::uint64_t number = 0;
    if (name.starts_with(kPrefix))
      std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), number);
    last = std::max(last, number);
  }
  return last;
}

}  // namespace phalanx::control
