#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include "config/convert.h"
#include "config/job.pb.h"
#include "config/reflection.h"
#include "tests/config/job_folder.h"

namespace phalanx::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Gives every key below `section` a value that no other key and no default has.
void fill_with_distinct_values(google::protobuf::Message& section, int& next) {
  const auto& descriptor = *section.GetDescriptor();
  const auto& reflection = *section.GetReflection();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto* field = descriptor.field(i);
    ++next;
    switch (field->cpp_type()) {
      case google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE:
        fill_with_distinct_values(field->is_repeated()
                                      ? *reflection.AddMessage(&section, field)
                                      : *reflection.MutableMessage(&section, field),
                                  next);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_STRING:
        store(section, *field, "value-" + std::to_string(next));
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_INT64:
        store(section, *field, std::int64_t{next});
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_UINT64:
        store(section, *field, std::uint64_t(next));
        break;
      default:
        store(section, *field, next + 0.25, 0);
        if (field->is_repeated()) store(section, *field, next + 0.5, 1);
    }
  }
}

TEST(Job, HoldsEveryKeyOfTheSchema) {
  schema::Job job;
  int next = 1000;
  fill_with_distinct_values(job, next);
  const auto expected = leaves(job), found = leaves(to_schema(to_struct(job)));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(found[i].path, expected[i].path);
    EXPECT_EQ(found[i].value, expected[i].value) << found[i].path;
  }
}

TEST(ToYaml, ReadsBackAsTheSameJob) {
  const JobFolder folder, elsewhere;
  for (const auto* text : {kExample, kSmallest}) {
    const auto yaml = to_yaml(folder.load(text).job);
    EXPECT_EQ(to_yaml(elsewhere.load(yaml).job), yaml);
  }
}

TEST(ToYaml, KeepsAwkwardTextAndNumbers) {
  const JobFolder folder;
  for (const std::string name : {"a: b", "# x", "yes", "null", "7", "1e3", "- a", "\"q\"", "it's",
                                 "naïve", " a ", "{}", "~", "a\\b"}) {
    auto job = folder
                   .load(kSmallest,
                         {"name=" + name, "train.optimizer.lr=1e-7", "seed=18446744073709551615",
                          "train.optimizer.epsilon=0.30000000000000004"})
                   .job;
    EXPECT_EQ(job.name, name);
    const auto again = folder.load(to_yaml(job)).job;
    EXPECT_EQ(again.name, name);
    EXPECT_EQ(again.train.optimizer.lr, 1e-7);
    EXPECT_EQ(again.seed, 18446744073709551615u);
    EXPECT_EQ(again.train.optimizer.epsilon, 0.30000000000000004);
  }
}

TEST(Identity, IsModelTrainingDataAndSeed) {
  const JobFolder folder;
  const auto before = folder.load(kSmallest).job;
  const auto differences = [&](std::vector<std::string> overrides) {
    return identity_differences(before, folder.load(kSmallest, overrides).job);
  };
  EXPECT_THAT(differences({"model.width=512", "seed=2"}),
              ElementsAre("seed: 1 before, 2 now", "model.width: 256 before, 512 now"));
  EXPECT_THAT(differences({"data.train.0.path=/b"}),
              ElementsAre("data.train.0.path: " + folder.path("train.tokens") + " before, /b now"));
  EXPECT_THAT(differences({"train.steps=300", "train.global_batch=32", "launch.ranks_per_node=2",
                           "parallel.data=2", "parallel.gradient_wire=bf16", "output=/elsewhere",
                           "checkpoint.every=7", "train.optimizer.lr=1", "name=other"}),
              IsEmpty());
}

TEST(Identity, SeesDataThatCameOrWent) {
  const JobFolder folder;
  const auto one = folder.load(kSmallest).job;
  auto two = one;
  two.data.train.push_back({"/more", 1.0});
  EXPECT_THAT(identity_differences(one, two),
              ElementsAre("data.train.1.path: nothing before, /more now",
                          "data.train.1.weight: nothing before, 1 now"));
  EXPECT_THAT(identity_differences(two, one),
              ElementsAre("data.train.1.path: /more before, nothing now",
                          "data.train.1.weight: 1 before, nothing now"));
}

}  // namespace
}  // namespace phalanx::config
