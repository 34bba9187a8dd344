#include "protocol/run_directory.h"

namespace phalanx::protocol {

std::filesystem::path RunDirectory::job_of(int attempt) const {
  return root_ / ("job.attempt-" + std::to_string(attempt) + ".yaml");
}

std::filesystem::path RunDirectory::log(const std::string& node, int slot) const {
  return logs() / node / (std::to_string(slot) + ".log");
}

std::filesystem::path RunDirectory::daemon_log(const std::string& node,
                                               const std::string& daemon) const {
  return logs() / node / (daemon + ".log");
}

std::filesystem::path RunDirectory::decisions(int attempt) const {
  return control() / ("attempt-" + std::to_string(attempt) + ".log");
}

std::filesystem::path RunDirectory::generation(std::uint64_t number) const {
  return control() / ("generation-" + std::to_string(number));
}

std::filesystem::path RunDirectory::trace(const std::string& id) const { return traces() / id; }

}  // namespace phalanx::protocol
