#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "config/job.pb.h"
#include "config/reflection.h"
#include "config/schema.pb.h"
#include "tests/config/job_folder.h"

namespace phalanx::config {
namespace {

using google::protobuf::FieldDescriptor;

void collect(const google::protobuf::Descriptor& section,
             std::vector<const FieldDescriptor*>& fields) {
  for (int i = 0; i < section.field_count(); ++i) {
    fields.push_back(section.field(i));
    if (const auto* inner = section.field(i)->message_type()) collect(*inner, fields);
  }
}

std::vector<const FieldDescriptor*> all_fields() {
  std::vector<const FieldDescriptor*> fields;
  collect(*schema::Job::descriptor(), fields);
  return fields;
}

TEST(Schema, ExplainsEveryKeyInASentence) {
  for (const auto* field : all_fields()) {
    const auto& help = field->options().GetExtension(schema::help);
    EXPECT_FALSE(help.empty()) << field->full_name();
    EXPECT_TRUE(help.ends_with('.')) << field->full_name();
  }
}

TEST(Schema, BoundsEveryNumberBelow) {
  for (const auto* field : all_fields()) {
    const auto& options = field->options();
    const bool is_bounded =
        options.HasExtension(schema::min) || options.HasExtension(schema::above);
    const bool is_signed = field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                           field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
    EXPECT_EQ(is_bounded, is_signed) << field->full_name();
  }
}

TEST(Schema, HasDefaultsThatItAcceptsItself) {
  const JobFolder folder;
  const auto loaded = folder.load(kSmallest);
  std::vector<std::string> overrides;
  for (const auto& setting : loaded.settings)
    if (setting.origin == "default") overrides.push_back(setting.path + "=" + setting.value);
  EXPECT_GT(overrides.size(), 20u);
  EXPECT_THAT(folder.problems(kSmallest, overrides), testing::IsEmpty());
}

TEST(Schema, ListsEveryKeyForCompletion) {
  const auto paths = setting_paths();
  EXPECT_THAT(paths, testing::IsSupersetOf(
                         {"name", "train.steps", "data.train.0.path", "train.optimizer.betas"}));
  const JobFolder folder;
  std::vector<std::string> of_example;
  const auto with_link = folder.load(kExample, {"launch.emulate_nodes=2", "parallel.data=auto",
                                                "launch.emulate_link.bandwidth=10"});
  for (const auto& setting : with_link.settings) of_example.push_back(setting.path);
  EXPECT_EQ(paths, of_example);
}

TEST(Reference, IsWhatTheSchemaSays) {
  EXPECT_EQ(read_file(PHALANX_SOURCE_DIR "/docs/configuration.md"), reference_markdown())
      << "docs/configuration.md is stale. Make it anew, in the root of the repository:\n"
         "cmake --build build --target phalanx-config-reference && "
         "build/config/phalanx-config-reference > docs/configuration.md";
}

TEST(Reference, BeginsWithAJobThatLoads) {
  const auto text = reference_markdown();
  const std::string fence = "```yaml\n";
  const auto begin = text.find(fence) + fence.size();
  const JobFolder folder;
  EXPECT_THAT(folder.problems(text.substr(begin, text.find("```", begin) - begin)),
              testing::IsEmpty());
}

}  // namespace
}  // namespace phalanx::config
