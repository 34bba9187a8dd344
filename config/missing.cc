#include "config/missing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

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
    std::vector<const FieldDescriptor*> missing;
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const auto& field = *descriptor.field(i);
      const bool required = field.options().GetExtension(schema::required);
      if (required && !findings_.find(join_path(path, field.name())))
        missing.push_back(&field);
      else
        below(section, field, path, place);
    }
    report(missing, path, place);
  }

 private:
  void below(const Message& section, const FieldDescriptor& field, const std::string& section_path,
             const Place& place) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return;
    const auto& reflection = *section.GetReflection();
    const auto path = join_path(section_path, field.name());
    if (!field.is_repeated() && is_present(section, field))
      in_section(reflection.GetMessage(section, &field), path, place);
    for (int item = 0; field.is_repeated() && item < reflection.FieldSize(section, &field); ++item)
      in_section(reflection.GetRepeatedMessage(section, &field, item),
                 join_path(path, std::to_string(item)), place);
  }

  // Several keys of one section are one problem: a section that was left out would be a page.
  void report(const std::vector<const FieldDescriptor*>& missing, const std::string& section_path,
              const Place& place) {
    std::vector<std::string> names, helps;
    for (const auto* field : missing) {
      const auto complaint =
          mismatch(*field, describe_values(*field), "nothing: the key is required");
      names.push_back(field->name());
      helps.push_back(complaint.help);
      if (missing.size() == 1 || section_path.empty())
        findings_.report(place, join_path(section_path, field->name()), complaint.message,
                         complaint.help);
    }
    if (missing.size() > 1 && !section_path.empty())
      findings_.report(place, section_path,
                       fmt::format("expected the keys {}, found none of them: they are required",
                                   fmt::join(names, ", ")),
                       fmt::format("{}", fmt::join(helps, "\n")));
  }

  Findings& findings_;
};

}  // namespace

void report_missing_keys(const Message& job, const Place& start, Findings& findings) {
  MissingKeys(findings).in_section(job, "", start);
}

}  // namespace phalanx::config
