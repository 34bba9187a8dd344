#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace google::protobuf {
class FieldDescriptor;
}

namespace phalanx::config {

// A value of a key that is no section: numbers and text.
using Value = std::variant<std::int64_t, std::uint64_t, double, std::string>;

// Why a value is not one.
struct Complaint {
  std::string message;  // "expected ..., found ..."
  std::string help;     // lines
};

enum class Quotes { kNone, kAround };  // around the value in the file

// `text` as a value of `field`, or of an element of the list `field`: its type, range and words.
std::variant<Value, Complaint> parse_value(const google::protobuf::FieldDescriptor& field,
                                           const std::string& text, Quotes quotes);

// What `field` takes, in words: "a whole number from 1 to 1024", "fp32", "a list of 2, each a
// number from 0, below 1".
std::string describe_values(const google::protobuf::FieldDescriptor& field);

// The same for an element, if `field` is a list.
std::string describe_element(const google::protobuf::FieldDescriptor& field);

// The range of a number: "from 1 to 1024", "above 0".
std::string describe_range(const google::protobuf::FieldDescriptor& field);

// "expected EXPECTED, found FOUND", with the field's meaning as help.
Complaint mismatch(const google::protobuf::FieldDescriptor& field, const std::string& expected,
                   const std::string& found);

}  // namespace phalanx::config
