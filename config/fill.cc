#include "config/fill.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

#include "config/reflection.h"
#include "config/schema.pb.h"
#include "config/suggest.h"
#include "config/wording.h"

namespace phalanx::config {
namespace {

std::string describe(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a map";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Scalar:
      return show(node.Scalar());
    default:
      return "nothing";
  }
}

// yaml-cpp tags a scalar in quotes "!", a plain one "?".
Quotes quotes_of(const YAML::Node& node) {
  return node.Tag() == "!" ? Quotes::kAround : Quotes::kNone;
}

// A key of the user's as part of a path.
std::string show_name(const std::string& name) {
  return name.size() <= 60 ? yaml_text(name) : show(name);
}

// `path` from `folder` on, without dots and a slash at the end.
std::string absolute(const std::filesystem::path& folder, const std::string& path) {
  const auto whole = (folder / path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

bool is_section(const Fill::Field& field) {
  return field.cpp_type() == Fill::Field::CPPTYPE_MESSAGE;
}

}  // namespace

Fill::Fill(Source kind, std::string source, std::filesystem::path folder, Findings& findings)
    : kind_(kind), source_(std::move(source)), folder_(std::move(folder)), findings_(findings) {}

Place Fill::place_of(const YAML::Node& node, const Place& key) const {
  const auto mark = node.Mark();
  // An empty value has no place of its own: yaml-cpp gives that of whatever comes next.
  if (kind_ == Source::kFlag || node.IsNull() || mark.is_null()) return key;
  return {source_, mark.line + 1, mark.column + 1};
}

void Fill::report(const Place& place, const std::string& path, const Complaint& complaint) {
  findings_.report(place, path, complaint.message, complaint.help);
}

void Fill::section(Message& section, const YAML::Node& node, const std::string& path,
                   const Place& key) {
  if (!node.IsMap()) {
    const auto found = describe(node);
    const auto help = help_for_unknown_key(*section.GetDescriptor(), path, "");
    return findings_.report(place_of(node, key), path, "expected a map of keys, found " + found,
                            help);
  }
  std::map<std::string, Place> seen;
  for (const auto& pair : node) {
    const auto place = place_of(pair.first, key);
    if (!pair.first.IsScalar()) {
      const auto help = help_for_unknown_key(*section.GetDescriptor(), path, "");
      findings_.report(place, join_path(path, "?"),
                       "expected the name of a key, found " + describe(pair.first), help);
      continue;
    }
    const auto& name = pair.first.Scalar();
    const auto [first, is_new] = seen.emplace(name, place);
    if (is_new)
      entry(section, name, pair.second, path, place);
    else
      findings_.report(place, join_path(path, show_name(name)),
                       "duplicate key, first at " + first->second.text(), "keep one of them");
  }
}

void Fill::entry(Message& section, const std::string& name, const YAML::Node& value,
                 const std::string& path, const Place& key) {
  const auto& descriptor = *section.GetDescriptor();
  if (const auto* found = descriptor.FindFieldByName(name))
    return field(section, *found, value, join_path(path, name), key);
  findings_.report(key, join_path(path, show_name(name)), "unknown key",
                   help_for_unknown_key(descriptor, path, name));
}

void Fill::field(Message& section, const Field& field, const YAML::Node& node,
                 const std::string& path, const Place& key) {
  findings_.place(path, is_section(field) ? key : place_of(node, key));
  const bool alone = node.IsScalar() && field.options().GetExtension(schema::or_one);
  if (alone) {
    section.GetReflection()->ClearField(&section, &field);
    findings_.forget_below(path);
  }
  if (field.is_repeated() && !alone) return list(section, field, node, path, key);
  if (is_section(field))
    return this->section(*section.GetReflection()->MutableMessage(&section, &field), node, path,
                         key);
  value(section, field, 0, node, path, key);
}

bool Fill::size_fits(const Field& field, int size, const std::string& path, const Place& place) {
  const auto& options = field.options();
  const auto complain = [&](const char* why) {
    const auto found = fmt::format("{} element{}{}", size, size == 1 ? "" : "s", why);
    report(place, path, mismatch(field, describe_values(field), found));
    return false;
  };
  if (options.HasExtension(schema::items) && size != options.GetExtension(schema::items))
    return complain("");
  const bool needs_one =
      options.GetExtension(schema::required) || options.GetExtension(schema::or_one);
  if (size == 0 && needs_one) return complain("");
  if (options.HasExtension(schema::only_items) && size > options.GetExtension(schema::only_items))
    return complain(": a list of more than one is not supported yet");
  return true;
}

void Fill::list(Message& section, const Field& field, const YAML::Node& node,
                const std::string& path, const Place& key) {
  const auto place = place_of(node, key);
  if (!node.IsSequence()) {
    auto complaint = mismatch(field, describe_values(field), describe(node));
    complaint.help += fmt::format("\na flag names an element by its place: `{}.0`", path);
    return report(place, path, complaint);
  }
  const auto& reflection = *section.GetReflection();
  const int size = static_cast<int>(node.size());
  const bool fits = size_fits(field, size, path, place);
  const int used =
      fits ? size : std::min<int>(size, field.options().GetExtension(schema::only_items));
  reflection.ClearField(&section, &field);
  findings_.forget_below(path);
  for (int index = 0; index < used; ++index) {
    const auto element = node[index];
    item(section, field, reflection.FieldSize(section, &field), element,
         join_path(path, std::to_string(index)), place_of(element, key));
  }
  const bool is_complete = reflection.FieldSize(section, &field) == used;
  if (!is_complete) reflection.ClearField(&section, &field);
}

void Fill::item(Message& section, const Field& field, int index, const YAML::Node& node,
                const std::string& path, const Place& key) {
  if (!is_section(field)) return value(section, field, index, node, path, key);
  const auto& reflection = *section.GetReflection();
  auto& element = index == reflection.FieldSize(section, &field)
                      ? *reflection.AddMessage(&section, &field)
                      : *reflection.MutableRepeatedMessage(&section, &field, index);
  findings_.place(path, key);
  this->section(element, node, path, key);
}

void Fill::value(Message& section, const Field& field, int index, const YAML::Node& node,
                 const std::string& path, const Place& key) {
  const auto place = place_of(node, key);
  if (!node.IsScalar())
    return report(place, path, mismatch(field, describe_element(field), describe(node)));
  auto parsed = parse_value(field, node.Scalar(), quotes_of(node));
  if (const auto* complaint = std::get_if<Complaint>(&parsed))
    return report(place, path, *complaint);
  auto& value = std::get<Value>(parsed);
  if (field.options().GetExtension(schema::is_path))
    value = absolute(folder_, std::get<std::string>(value));
  store(section, field, value, index);
}

}  // namespace phalanx::config
