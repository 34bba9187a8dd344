#include "config/flags.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#include "config/fill.h"
#include "config/reflection.h"
#include "config/suggest.h"
#include "config/yaml_document.h"

namespace phalanx::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A flag taken apart: "--data.train[0].path=a" is {data, train, 0, path} and "a".
struct Flag {
  std::string path;  // "data.train.0.path"
  std::vector<std::string> parts;
  std::optional<std::string> value;
  Place place;
};

std::optional<int> parse_index(const std::string& text) {
  int index = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size() || index < 0) return std::nullopt;
  return index;
}

// "data.train[0].path" with a dot for the brackets.
std::string with_dots(const std::string& name) {
  std::string path;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto close = name[i] == '[' ? name.find(']', i) : std::string::npos;
    const auto index = close == std::string::npos ? "" : name.substr(i + 1, close - i - 1);
    if (!parse_index(index)) {
      path += name[i];
      continue;
    }
    path += "." + index;
    i = close;
  }
  return path;
}

Flag parse_flag(const std::string& argument) {
  Flag flag;
  const auto begin = std::min(argument.find_first_not_of('-'), argument.size());
  const auto equals = argument.find('=', begin);
  flag.path = with_dots(argument.substr(begin, equals - begin));
  for (std::size_t at = 0; at <= flag.path.size();) {
    const auto dot = std::min(flag.path.find('.', at), flag.path.size());
    flag.parts.push_back(flag.path.substr(at, dot - at));
    at = dot + 1;
  }
  if (equals != std::string::npos) flag.value = argument.substr(equals + 1);
  flag.place = {"--" + flag.path};
  return flag;
}

bool is_section(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

// Whether the schema has a key or an element of a list at `parts`.
bool exists(const Descriptor* section, const std::vector<std::string>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto* field = section ? section->FindFieldByName(parts[i]) : nullptr;
    if (!field) return false;
    if (field->is_repeated() && i + 1 < parts.size() && !parse_index(parts[++i])) return false;
    section = is_section(*field) ? field->message_type() : nullptr;
  }
  return true;
}

// Walks down to the key that a flag names and fills it.
class FlagFill {
 public:
  FlagFill(const Flag& flag, Findings& findings)
      : flag_(flag),
        findings_(findings),
        fill_(Fill::Source::kFlag, flag.place.source, std::filesystem::current_path(), findings) {}

  // From part `at` of the flag on, which is a key of `section`.
  void descend(Message& section, std::size_t at, const std::string& section_path) {
    const auto& field = *section.GetDescriptor()->FindFieldByName(flag_.parts[at]);
    const auto path = join_path(section_path, field.name());
    const bool is_last = at + 1 == flag_.parts.size();
    if (field.is_repeated() && !is_last) return descend_into_list(section, field, at + 1, path);
    if (is_last) {
      if (const auto node = is_section(field) || field.is_repeated() ? tree() : word())
        fill_.field(section, field, *node, path, flag_.place);
      return;
    }
    enter(path);
    descend(*section.GetReflection()->MutableMessage(&section, &field), at + 1, path);
  }

 private:
  // From part `at` on, which is an index of the list `field`.
  void descend_into_list(Message& section, const FieldDescriptor& field, std::size_t at,
                         const std::string& path) {
    const auto& reflection = *section.GetReflection();
    const int size = reflection.FieldSize(section, &field);
    const int index = *parse_index(flag_.parts[at]);
    if (index > size)
      return findings_.report(
          flag_.place, flag_.path,
          fmt::format("expected an index from 0 to {}, found {}", size, index),
          fmt::format("`{}` has {} elements, the next is {}", path, size, size));
    if (index == size && !fill_.size_fits(field, size + 1, path, flag_.place)) return;
    enter(path);
    const auto item_path = join_path(path, std::to_string(index));
    if (at + 1 == flag_.parts.size()) {
      if (!is_section(field)) findings_.place(path, flag_.place);
      if (const auto node = is_section(field) ? tree() : word())
        fill_.item(section, field, index, *node, item_path, flag_.place);
      return;
    }
    enter(item_path);
    auto& item = index == size ? *reflection.AddMessage(&section, &field)
                               : *reflection.MutableRepeatedMessage(&section, &field, index);
    descend(item, at + 1, item_path);
  }

  // The value of the flag for a key that takes a number or text.
  std::optional<YAML::Node> word() const { return YAML::Node(*flag_.value); }

  // For a section or a list, which are written as in YAML.
  std::optional<YAML::Node> tree() {
    try {
      return parse_document(*flag_.value);
    } catch (const YAML::Exception& error) {
      findings_.report(flag_.place, flag_.path, "expected one YAML value, found " + error.msg,
                       "write lists as [1, 2] and sections as {key: value}");
      return std::nullopt;
    }
  }

  void enter(const std::string& path) {
    if (!findings_.find(path)) findings_.place(path, flag_.place);
  }

  const Flag& flag_;
  Findings& findings_;
  Fill fill_;
};

}  // namespace

void fill_from_flag(Message& job, const std::string& argument, Findings& findings) {
  const auto flag = parse_flag(argument);
  if (!exists(job.GetDescriptor(), flag.parts))
    findings.report(flag.place, flag.path, "unknown flag", help_for_unknown_flag(flag.path));
  else if (!flag.value)
    findings.report(flag.place, flag.path,
                    "expected " + flag.place.source + "=VALUE, found no value",
                    "there is no space around the `=`");
  else
    FlagFill(flag, findings).descend(job, 0, "");
}

}  // namespace phalanx::config
