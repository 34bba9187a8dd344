#include "launcher/control/patient_file.h"

#include "base/error.h"
#include "base/log.h"

namespace phalanx::control {

constexpr std::size_t kMaxWaiting = 100000;

void PatientFile::append(std::string record) {
  waiting_.push_back(std::move(record));
  if (waiting_.size() > kMaxWaiting) waiting_.pop_front();
  try {
    if (!file_) file_.emplace(path_);
    for (; !waiting_.empty(); waiting_.pop_front()) file_->append(waiting_.front());
    warned_ = false;
  } catch (const StorageError& error) {
    if (!warned_) log::warn("{}; what follows waits until it can be written", error.what());
    warned_ = true;
  }
}

}  // namespace phalanx::control
