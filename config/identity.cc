#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <map>

#include "config/convert.h"
#include "config/job.pb.h"
#include "config/load.h"
#include "config/reflection.h"
#include "config/schema.pb.h"

namespace phalanx::config {
namespace {

std::vector<Leaf> identity(const Job& job) {
  auto all = leaves(to_schema(job));
  std::erase_if(
      all, [](const Leaf& leaf) { return !leaf.field->options().GetExtension(schema::identity); });
  return all;
}

std::string value_at(const std::vector<Leaf>& list, const std::string& path) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const Leaf& leaf) { return leaf.path == path; });
  return found == list.end() ? "nothing" : found->value;
}

}  // namespace

std::vector<std::string> identity_differences(const Job& before, const Job& now) {
  const auto old_values = identity(before), new_values = identity(now);
  std::vector<std::string> differences;
  const auto compare = [&](const std::string& path) {
    const auto was = value_at(old_values, path), is = value_at(new_values, path);
    if (was != is) differences.push_back(fmt::format("{}: {} before, {} now", path, was, is));
  };
  for (const auto& leaf : old_values) compare(leaf.path);
  for (const auto& leaf : new_values)
    if (value_at(old_values, leaf.path) == "nothing") compare(leaf.path);
  return differences;
}

}  // namespace phalanx::config
