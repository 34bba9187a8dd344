#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace phalanx::protocol {

// Where things are in the output directory of a run: the one place that knows.
class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path job() const { return root_ / "job.yaml"; }  // the newest attempt's
  std::filesystem::path job_of(int attempt) const;                  // job.attempt-2.yaml
  std::filesystem::path run() const { return root_ / "run.json"; }  // mode 0600
  std::filesystem::path lock() const { return root_ / ".lock"; }
  std::filesystem::path metrics() const { return root_ / "metrics.jsonl"; }
  std::filesystem::path events() const { return root_ / "events.jsonl"; }
  std::filesystem::path summary() const { return root_ / "summary.json"; }
  std::filesystem::path tensorboard() const { return root_ / "tensorboard"; }
  std::filesystem::path logs() const { return root_ / "logs"; }
  std::filesystem::path log(const std::string& node, int slot) const;  // logs/node0/0.log
  std::filesystem::path daemon_log(const std::string& node, const std::string& daemon) const;
  std::filesystem::path checkpoints() const { return root_ / "checkpoints"; }
  std::filesystem::path control() const { return root_ / "control"; }
  std::filesystem::path decisions(int attempt) const;            // control/attempt-1.log
  std::filesystem::path generation(std::uint64_t number) const;  // control/generation-1
  std::filesystem::path traces() const { return root_ / "trace"; }
  // What the ranks write for the trace `id`; whoever asked for it makes and removes the folder.
  std::filesystem::path trace(const std::string& id) const;  // trace/x1a2Bc

 private:
  std::filesystem::path root_;
};

}  // namespace phalanx::protocol
