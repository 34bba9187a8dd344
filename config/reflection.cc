#include "config/reflection.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "config/schema.pb.h"
#include "config/wording.h"

namespace phalanx::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Writes one value through Protobuf's setters, which differ by type and by whether the field is a
// list.
struct Store {
  Message& section;
  const FieldDescriptor* field;
  int index;

  void operator()(std::int64_t value) const { reflection().SetInt64(&section, field, value); }
  void operator()(std::uint64_t value) const { reflection().SetUInt64(&section, field, value); }
  void operator()(const std::string& value) const {
    if (!field->is_repeated()) return reflection().SetString(&section, field, value);
    if (index == reflection().FieldSize(section, field))
      return reflection().AddString(&section, field, value);
    reflection().SetRepeatedString(&section, field, index, value);
  }
  void operator()(double value) const {
    if (!field->is_repeated()) return reflection().SetDouble(&section, field, value);
    if (index == reflection().FieldSize(section, field))
      return reflection().AddDouble(&section, field, value);
    reflection().SetRepeatedDouble(&section, field, index, value);
  }
  const google::protobuf::Reflection& reflection() const { return *section.GetReflection(); }
};

bool is_section(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

std::string list_text(const Message& section, const FieldDescriptor& field) {
  const auto& reflection = *section.GetReflection();
  std::vector<std::string> items;
  const bool words = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  for (int i = 0; i < reflection.FieldSize(section, &field); ++i)
    items.push_back(words ? yaml_text(reflection.GetRepeatedString(section, &field, i))
                          : number_text(reflection.GetRepeatedDouble(section, &field, i)));
  if (items.size() == 1 && field.options().GetExtension(schema::or_one)) return items.front();
  return fmt::format("[{}]", fmt::join(items, ", "));
}

void append(std::vector<Leaf>& list, std::vector<Leaf> more) {
  list.insert(list.end(), std::make_move_iterator(more.begin()),
              std::make_move_iterator(more.end()));
}

}  // namespace

std::string join_path(const std::string& section, const std::string& key) {
  return section.empty() ? key : section + "." + key;
}

void store(Message& section, const FieldDescriptor& field, const Value& value, int index) {
  std::visit(Store{section, &field, index}, value);
}

void fill_default_lists(Message& section) {
  const auto& descriptor = *section.GetDescriptor();
  const auto& reflection = *section.GetReflection();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    if (field.is_repeated() && !is_section(field)) {
      if (reflection.FieldSize(section, &field) > 0) continue;
      for (const double value : field.options().GetRepeatedExtension(schema::default_items))
        reflection.AddDouble(&section, &field, value);
      for (const auto& word : field.options().GetRepeatedExtension(schema::default_words))
        reflection.AddString(&section, &field, word);
    } else if (!field.is_repeated() && is_section(field) && is_present(section, field)) {
      fill_default_lists(*reflection.MutableMessage(&section, &field));
    }
  }
}

bool is_present(const Message& section, const FieldDescriptor& field) {
  return !field.options().GetExtension(schema::may_be_absent) ||
         section.GetReflection()->HasField(section, &field);
}

std::string value_text(const Message& section, const FieldDescriptor& field) {
  const auto& reflection = *section.GetReflection();
  if (field.is_repeated()) return list_text(section, field);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64: {
      const auto value = reflection.GetInt64(section, &field);
      const bool is_automatic = value == 0 && field.options().HasExtension(schema::automatic);
      return is_automatic ? "auto" : std::to_string(value);
    }
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(reflection.GetUInt64(section, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_text(reflection.GetDouble(section, &field));
    default:
      return yaml_text(reflection.GetString(section, &field));
  }
}

std::vector<Leaf> leaves(const Message& section, const std::string& path) {
  const auto& descriptor = *section.GetDescriptor();
  const auto& reflection = *section.GetReflection();
  std::vector<Leaf> result;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    const auto child = join_path(path, field.name());
    if (!is_section(field))
      result.push_back({child, value_text(section, field), &field});
    else if (!field.is_repeated() && is_present(section, field))
      append(result, leaves(reflection.GetMessage(section, &field), child));
    else if (field.is_repeated())
      for (int item = 0; item < reflection.FieldSize(section, &field); ++item)
        append(result, leaves(reflection.GetRepeatedMessage(section, &field, item),
                              join_path(child, std::to_string(item))));
  }
  return result;
}

}  // namespace phalanx::config
