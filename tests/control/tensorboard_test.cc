#include "launcher/control/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "launcher/control/tensorboard.pb.h"
#include "tests/control/run_folder.h"

namespace phalanx::control {
namespace {

using tensorboard::Event;

RecordStep step(std::int64_t number, double loss) {
  RecordStep record;
  record.step.set_step(number);
  record.step.set_loss(loss);
  return record;
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry);
  return files;
}

std::vector<Event> events_in(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<Event> events;
  for (std::size_t at = 0; at + 12 <= content.size();) {
    std::uint64_t size = 0;
    std::memcpy(&size, content.data() + at, sizeof size);
    const std::string data = content.substr(at + 12, size);
    EXPECT_EQ(content.substr(at, size + 16), tf_record(data));
    EXPECT_TRUE(events.emplace_back().ParseFromString(data));
    at += size + 16;
  }
  return events;
}

// The bytes that tensorboard's own RecordWriter (version 2.21) makes of the same data.
TEST(TensorBoard, FramesARecordAsItsOwnWriterDoes) {
  const unsigned char expected[] = {0x09, 0,    0,    0,    0,    0,    0,   0,   0x37,
                                    0xf9, 0x71, 0x39, '1',  '2',  '3',  '4', '5', '6',
                                    '7',  '8',  '9',  0xe5, 0xb0, 0x8a, 0xc7};
  EXPECT_EQ(tf_record("123456789"),
            std::string(reinterpret_cast<const char*>(expected), sizeof expected));
}

TEST(TensorBoard, AFileBeginsWithItsVersionAndHasTheScalarsOfEachStep) {
  const RunFolder folder;
  TensorBoardFile file(folder.path() / "tensorboard");
  file.write(step(1, 2.5), 100);
  file.write(step(2, 1.5), 101);
  const auto files = files_in(folder.path() / "tensorboard");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_THAT(files[0].filename().string(), testing::StartsWith("events.out.tfevents.0000000100."));
  const auto events = events_in(files[0]);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[2].step(), 2);
  EXPECT_EQ(events[2].wall_time(), 101);
  EXPECT_EQ(events[2].summary().value(0).tag(), "loss/train");
  EXPECT_EQ(events[2].summary().value(0).simple_value(), 1.5F);
}

TEST(TensorBoard, HasTheUtilisationOfStepsWhoseReporterKnowsItsPeak) {
  const RunFolder folder;
  TensorBoardFile file(folder.path() / "tensorboard");
  RecordStep record = step(1, 2.5);
  record.step.set_model_flops_per_second(3e9);
  file.write(record, 100);
  record.step.set_peak_flops_per_second(12e9);
  file.write(record, 101);
  const auto events = events_in(files_in(folder.path() / "tensorboard").at(0));
  std::vector<float> found;
  for (const Event& event : events)
    for (const auto& value : event.summary().value())
      if (value.tag() == "speed/mfu") found.push_back(value.simple_value());
  EXPECT_EQ(found, std::vector<float>{0.25F});
}

TEST(TensorBoard, GoesOnAfterAFullDiskWithWholeRecords) {
  const RunFolder folder;
  TensorBoardFile file(folder.path() / "tensorboard");
  file.write(step(1, 2.5), 100);
  const auto path = files_in(folder.path() / "tensorboard").at(0);
  {
    const FileSizeLimit limit(std::filesystem::file_size(path) + 5);
    file.write(step(2, 1.5), 101);
  }
  file.write(step(3, 0.5), 102);
  std::vector<std::int64_t> steps;
  for (const auto& each : files_in(folder.path() / "tensorboard"))
    for (const Event& event : events_in(each))
      if (event.has_summary()) steps.push_back(event.step());
  EXPECT_THAT(steps, testing::UnorderedElementsAre(1, 3));
}

}  // namespace
}  // namespace phalanx::control
