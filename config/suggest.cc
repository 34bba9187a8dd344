#include "config/suggest.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <vector>

#include "base/nearest_name.h"
#include "config/load.h"
#include "config/wording.h"

namespace phalanx::config {
namespace {

// Nobody misspells a longer name, and the distance of long words takes long.
constexpr std::size_t kLongestName = 64;

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

// The keys called `name`, wherever they are, each as "`PREFIXpath.to.name`".
std::vector<std::string> keys_called(const std::string& name, const std::string& prefix) {
  std::vector<std::string> found;
  for (const auto& path : setting_paths())
    if (last_part(path) == name) found.push_back("`" + prefix + path + "`");
  return found;
}

std::string did_you_mean(const std::string& name) { return "did you mean " + name + "?"; }

}  // namespace

std::string help_for_unknown_key(const google::protobuf::Descriptor& section,
                                 const std::string& path, const std::string& key) {
  std::vector<std::string> keys;
  for (int i = 0; i < section.field_count(); ++i) keys.push_back(section.field(i)->name());
  auto all = fmt::format("{} has the keys {}", path.empty() ? "a job" : "`" + path + "`",
                               fmt::join(keys, ", "));
  if (key.size() > kLongestName) return all;
  if (const auto nearest = nearest_name(key, keys); !nearest.empty())
    return did_you_mean("`" + nearest + "`") + "\n" + all;
  if (const auto elsewhere = keys_called(key, ""); !elsewhere.empty())
    return did_you_mean(either(elsewhere)) + "\n" + all;
  return all;
}

std::string help_for_unknown_flag(const std::string& path) {
  if (path.size() > kLongestName) return "";
  if (const auto nearest = nearest_name(path, setting_paths()); !nearest.empty())
    return did_you_mean("`--" + nearest + "`");
  const auto elsewhere = keys_called(last_part(path), "--");
  return elsewhere.empty() ? "flags of a job are its keys: --train.steps=100"
                           : did_you_mean(either(elsewhere));
}

}  // namespace phalanx::config
