#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/value.h"

namespace google::protobuf {
class Descriptor;
class Message;
}  // namespace google::protobuf

// Values of a schema::Job by field, whatever section they are in.
namespace phalanx::config {

// "section.key", or "key" at the top.
std::string join_path(const std::string& section, const std::string& key);

// Sets `field`; for a list the element `index`, its size appending.
void store(google::protobuf::Message& section, const google::protobuf::FieldDescriptor& field,
           const Value& value, int index = 0);

// Gives lists of numbers and of words that are empty their defaults, in all sections.
void fill_default_lists(google::protobuf::Message& section);

// A key that is no section, with its value as in YAML (a list of numbers is one value: "[0.9,
// 0.95]").
struct Leaf {
  std::string path;
  std::string value;
  const google::protobuf::FieldDescriptor* field;
};

// All keys below `section`, in the order of the schema, defaults included; a section that may be
// absent only if present.
std::vector<Leaf> leaves(const google::protobuf::Message& section, const std::string& path = "");

// The value of one field that is no section and no list of sections.
std::string value_text(const google::protobuf::Message& section,
                       const google::protobuf::FieldDescriptor& field);

// Whether `section` has something in the section `field`: always, unless it may be absent.
bool is_present(const google::protobuf::Message& section,
                const google::protobuf::FieldDescriptor& field);

}  // namespace phalanx::config
