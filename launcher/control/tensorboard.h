#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "launcher/control/action.h"

namespace phalanx::control {

// A run's scalars for `tensorboard --logdir OUTPUT`: an event file for each controller's life.
// Never throws: what a full disk does not take is missing here (metrics.jsonl has it), and a new
// file is begun when there is room again.
class TensorBoardFile {
 public:
  explicit TensorBoardFile(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void write(const RecordStep& step, double wall_seconds);

 private:
  void open(double wall_seconds);

  std::filesystem::path folder_;
  std::optional<AppendFile> file_;
  bool warned_ = false;
};

// `data` framed as a TFRecord: its length and its bytes, each followed by a masked CRC-32C.
std::string tf_record(std::string_view data);

}  // namespace phalanx::control
