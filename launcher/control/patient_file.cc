#include "launcher/control/patient_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace phalanx::control {
namespace {

constexpr std::size_t kMaxWaiting = 100000;

void cut_off_torn_line(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return;
  const std::string content = read_file(path);
  const std::size_t whole = content.rfind('\n') + 1;
  if (whole == content.size()) return;
  log::warn("{}: cut off {} bytes of a torn line", path.string(), content.size() - whole);
  std::filesystem::resize_file(path, whole, error);
  if (error) throw storage_error(path.string() + ": truncate", error.value());
}

}  // namespace

void PatientFile::append(std::string record) {
  waiting_.push_back(std::move(record));
  if (waiting_.size() > kMaxWaiting) waiting_.pop_front();
  try {
    if (!file_) {
      cut_off_torn_line(path_);
      file_.emplace(path_);
    }
    for (; !waiting_.empty(); waiting_.pop_front()) file_->append(waiting_.front());
    warned_ = false;
  } catch (const StorageError& error) {
    if (!warned_) log::warn("{}; what follows waits until it can be written", error.what());
    warned_ = true;
  }
}

}  // namespace phalanx::control
