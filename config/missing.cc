#include "config/missing.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "config/reflection.h"
#include "config/schema.pb.h"
#include "config/value.h"

namespace phalanx::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

class MissingKeys {
 public:
  explicit MissingKeys(Findings& findings) : findings_(findings) {}

  void in_section(const Message& section, const std::string& path, const Place& inherited) {
    if (findings_.has_problem(path)) return;
    const auto* own = findings_.find(path);
    const auto& place = own ? *own : inherited;
    const auto& descriptor = *section.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i)
      in_field(section, *descriptor.field(i), path, place);
  }

 private:
  void in_field(const Message& section, const FieldDescriptor& field,
                const std::string& section_path, const Place& place) {
    const auto& reflection = *section.GetReflection();
    const auto path = join_path(section_path, field.name());
    if (field.options().GetExtension(schema::required) && !findings_.find(path)) {
      auto complaint = mismatch(field, describe_values(field), "nothing: the key is required");
      return findings_.report(place, path, complaint.message, complaint.help);
    }
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return;
    if (!field.is_repeated() && is_present(section, field))
      in_section(reflection.GetMessage(section, &field), path, place);
    for (int item = 0; field.is_repeated() && item < reflection.FieldSize(section, &field); ++item)
      in_section(reflection.GetRepeatedMessage(section, &field, item),
                 join_path(path, std::to_string(item)), place);
  }

  Findings& findings_;
};

}  // namespace

void report_missing_keys(const Message& job, const Place& start, Findings& findings) {
  MissingKeys(findings).in_section(job, "", start);
}

}  // namespace phalanx::config
