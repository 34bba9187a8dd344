#include "launcher/control/tensorboard.h"

#include <fmt/format.h>
#include <isa-l/crc.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "launcher/control/tensorboard.pb.h"

namespace phalanx::control {
namespace {

static_assert(std::endian::native == std::endian::little, "TFRecords are little-endian");

std::uint32_t crc32c(std::string_view data) {
  // ISA-L takes a pointer to non-const that it does not write through.
  auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data.data()));
  return ~crc32_iscsi(bytes, static_cast<int>(data.size()), ~0U);
}

std::string masked_crc(std::string_view data) {
  const std::uint32_t masked = std::rotr(crc32c(data), 15) + 0xa282ead8U;
  return {reinterpret_cast<const char*>(&masked), sizeof masked};
}

tensorboard::Event scalars(const RecordStep& record) {
  const protocol::StepReport& step = record.step;
  tensorboard::Event event;
  event.set_step(step.step());
  const auto add = [&](const char* tag, double value) {
    auto& scalar = *event.mutable_summary()->add_value();
    scalar.set_tag(tag);
    scalar.set_simple_value(static_cast<float>(value));
  };
  add("loss/train", step.loss());
  if (step.has_validation_loss()) add("loss/validation", step.validation_loss());
  add("optimizer/grad_norm", step.grad_norm());
  add("optimizer/lr", step.lr());
  if (step.has_busiest_expert()) {
    add("experts/balance_loss", step.balance_loss());
    add("experts/busiest", step.busiest_expert());
  }
  add("speed/tokens_per_second", record.tokens_per_second);
  add("speed/step_seconds", step.seconds());
  add("speed/model_flops_per_second", step.model_flops_per_second());
  if (step.has_peak_flops_per_second())
    add("speed/mfu", step.model_flops_per_second() / step.peak_flops_per_second());
  if (step.has_times()) {
    add("seconds/data", step.times().data());
    add("seconds/forward", step.times().forward());
    add("seconds/backward", step.times().backward());
    add("seconds/communication", step.times().communication());
    add("seconds/optimizer", step.times().optimizer());
    add("seconds/snapshot", step.times().snapshot());
  }
  return event;
}

}  // namespace

void TensorBoardFile::write(const RecordStep& step, double wall_seconds) {
  try {
    if (!file_) open(wall_seconds);
    tensorboard::Event event = scalars(step);
    event.set_wall_time(wall_seconds);
    file_->append(tf_record(event.SerializeAsString()));
    warned_ = false;
  } catch (const StorageError& error) {
    if (!warned_) log::warn("{}; TensorBoard's file goes on without these steps", error.what());
    warned_ = true;
    file_.reset();
  }
}

void TensorBoardFile::open(double wall_seconds) {
  std::error_code failed;
  std::filesystem::create_directories(folder_, failed);
  // TensorBoard reads the files of a folder in the order of their names.
  file_.emplace(folder_ / fmt::format("events.out.tfevents.{:010d}.phalanx.{}",
                                      static_cast<std::int64_t>(wall_seconds), ::getpid()));
  tensorboard::Event version;
  version.set_wall_time(wall_seconds);
  version.set_file_version("brain.Event:2");
  file_->append(tf_record(version.SerializeAsString()));
}

std::string tf_record(std::string_view data) {
  const std::uint64_t size = data.size();
  const std::string_view length(reinterpret_cast<const char*>(&size), sizeof size);
  return fmt::format("{}{}{}{}", length, masked_crc(length), data, masked_crc(data));
}

}  // namespace phalanx::control
