#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "config/convert.h"
#include "config/job.pb.h"
#include "config/load.h"
#include "config/reflection.h"

namespace phalanx::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string print(const Message& section, const std::string& indent);

std::string print_section(const std::string& name, const std::string& content,
                          const std::string& indent) {
  return indent + name + ":\n" + content;
}

// The elements of a list of sections: the first key of each follows a dash.
std::string print_items(const Message& section, const FieldDescriptor& field,
                        const std::string& indent) {
  const auto& reflection = *section.GetReflection();
  std::string text;
  for (int item = 0; item < reflection.FieldSize(section, &field); ++item) {
    auto element = print(reflection.GetRepeatedMessage(section, &field, item), indent + "    ");
    element[indent.size() + 2] = '-';
    text += element;
  }
  return text;
}

std::string print(const Message& section, const std::string& indent) {
  const auto& descriptor = *section.GetDescriptor();
  std::string text;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      text += indent + field.name() + ": " + value_text(section, field) + "\n";
    else if (field.is_repeated())
      text += print_section(field.name(), print_items(section, field, indent), indent);
    else if (is_present(section, field))
      text += print_section(
          field.name(), print(section.GetReflection()->GetMessage(section, &field), indent + "  "),
          indent);
  }
  return text;
}

}  // namespace

std::string to_yaml(const Job& job) { return print(to_schema(job), ""); }

}  // namespace phalanx::config
