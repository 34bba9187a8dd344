#include "config/value.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include "base/check.h"
#include "base/nearest_name.h"
#include "config/schema.pb.h"
#include "config/wording.h"

namespace phalanx::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FieldOptions;

constexpr auto kNotSupportedYet = ", which is not supported yet";

std::vector<std::string> allowed_words(const FieldDescriptor& field) {
  const auto& words = field.options().GetRepeatedExtension(schema::allowed);
  return {words.begin(), words.end()};
}

bool is_planned(const FieldDescriptor& field, const std::string& word) {
  const auto& planned = field.options().GetRepeatedExtension(schema::planned);
  return std::find(planned.begin(), planned.end(), word) != planned.end();
}

bool in_range(const FieldOptions& options, double number) {
  const auto has = [&](const auto& bound) { return options.HasExtension(bound); };
  const auto get = [&](const auto& bound) { return options.GetExtension(bound); };
  return !(has(schema::min) && number < get(schema::min)) &&
         !(has(schema::max) && number > get(schema::max)) &&
         !(has(schema::above) && number <= get(schema::above)) &&
         !(has(schema::below) && number >= get(schema::below));
}

Complaint element_mismatch(const FieldDescriptor& field, const std::string& found) {
  return mismatch(field, describe_element(field), found);
}

Complaint unsupported(const FieldDescriptor& field, const std::string& found) {
  auto complaint = element_mismatch(field, found);
  complaint.message += kNotSupportedYet;
  return complaint;
}

// A number written in a way that `field` does not take, and how to write it.
std::string spelling_help(const FieldDescriptor& field, const std::string& text, Quotes quotes) {
  double number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return "";
  if (quotes == Quotes::kAround) return "leave out the quotes, they make it text";
  const bool is_whole = number == std::floor(number) && std::abs(number) < 1e15;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE || !is_whole) return "";
  const auto digits = fmt::format("{}", static_cast<std::int64_t>(number));
  return digits == text ? "" : "write it in digits: " + digits;
}

// Nobody misspells a longer word, and the distance of long words takes long.
std::string nearest_word(const std::string& text, const std::vector<std::string>& words) {
  constexpr std::size_t kLongest = 64;
  return text.size() <= kLongest ? nearest_name(text, words) : "";
}

Complaint misspelt_number(const FieldDescriptor& field, const std::string& text, Quotes quotes) {
  auto complaint =
      element_mismatch(field, (quotes == Quotes::kAround ? "the text " : "") + show(text));
  const auto help = spelling_help(field, text, quotes);
  const std::vector<std::string> automatic = {"auto"};
  if (!help.empty())
    complaint.help = help;
  else if (field.options().HasExtension(schema::automatic) &&
           !nearest_word(text, automatic).empty())
    complaint.help = "did you mean `auto`?";
  return complaint;
}

template <class Number>
std::variant<Value, Complaint> parse_number(const FieldDescriptor& field, const std::string& text,
                                            Quotes quotes) {
  const auto& options = field.options();
  if (options.HasExtension(schema::automatic) && text == "auto") return Value(Number{0});
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_complete = end == text.data() + text.size();
  const bool looks_octal = std::is_integral_v<Number> && text.size() > 1 && text.front() == '0';
  if (quotes == Quotes::kAround || !is_complete || looks_octal ||
      error == std::errc::invalid_argument)
    return misspelt_number(field, text, quotes);
  if (error == std::errc::result_out_of_range)
    return element_mismatch(
        field, show(text) + (std::is_integral_v<Number> ? "" : ", which no double can hold"));
  const auto value = static_cast<double>(number);
  if (!std::isfinite(value) || !in_range(options, value))
    return element_mismatch(field, show(text));
  if (options.HasExtension(schema::only) && value != options.GetExtension(schema::only))
    return unsupported(field, show(text));
  return Value(number);
}

std::variant<Value, Complaint> parse_text(const FieldDescriptor& field, const std::string& text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), is_control))
    return element_mismatch(field,
                            show(text) + ", which has a line break or another control character");
  if (text.empty()) return element_mismatch(field, "empty text");
  if (field.options().GetExtension(schema::is_path) && text.starts_with("~")) {
    const auto expected = describe_element(field);
    return Complaint{
        fmt::format("expected {}, found {}, which only a shell expands", expected, show(text)),
        "write the home folder out, or ./~ for a file of that name"};
  }
  const auto allowed = allowed_words(field);
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), text) != allowed.end())
    return Value(text);
  const bool nothing_else_is_built = field.options().ExtensionSize(schema::planned) == 0;
  if (is_planned(field, text)) return unsupported(field, show(text));
  auto complaint =
      nothing_else_is_built ? unsupported(field, show(text)) : element_mismatch(field, show(text));
  const auto nearest = nearest_word(text, allowed);
  if (!nearest.empty()) complaint.help = fmt::format("did you mean `{}`?", nearest);
  return complaint;
}

}  // namespace

std::variant<Value, Complaint> parse_value(const FieldDescriptor& field, const std::string& text,
                                           Quotes quotes) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return parse_text(field, text);
    case FieldDescriptor::CPPTYPE_INT64:
      return parse_number<std::int64_t>(field, text, quotes);
    case FieldDescriptor::CPPTYPE_UINT64:
      return parse_number<std::uint64_t>(field, text, quotes);
    default:
      return parse_number<double>(field, text, quotes);
  }
}

std::string describe_range(const FieldDescriptor& field) {
  const auto& options = field.options();
  const auto has = [&](const auto& bound) { return options.HasExtension(bound); };
  const auto text = [&](const auto& bound) {
    return fmt::format("{}", options.GetExtension(bound));
  };
  if (has(schema::above) && has(schema::below))
    return "above " + text(schema::above) + ", below " + text(schema::below);
  if (has(schema::above)) return "above " + text(schema::above);
  if (has(schema::max)) return "from " + text(schema::min) + " to " + text(schema::max);
  if (has(schema::below)) return "from " + text(schema::min) + ", below " + text(schema::below);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64)
    return fmt::format("from 0 to {}", std::numeric_limits<std::uint64_t>::max());
  return "from " + text(schema::min) + " upwards";
}

std::string describe_element(const FieldDescriptor& field) {
  const auto& options = field.options();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const auto allowed = allowed_words(field);
      if (!allowed.empty()) return either(allowed);
      return options.GetExtension(schema::is_path) ? "a path" : "text";
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "a map of keys";
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      if (options.HasExtension(schema::only))
        return number_text(options.GetExtension(schema::only));
      const bool is_double = field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
      return std::string(options.HasExtension(schema::automatic) ? "auto or " : "") +
             (is_double ? "a number " : "a whole number ") + describe_range(field);
    }
    default:
      check(false, "config/job.proto: " + field.full_name() +
                       " has a type that config/value.cc does not know");
      return "";
  }
}

std::string describe_values(const FieldDescriptor& field) {
  if (!field.is_repeated()) return describe_element(field);
  const auto& options = field.options();
  if (options.GetExtension(schema::or_one)) return describe_element(field) + ", or a list of these";
  if (!options.HasExtension(schema::items)) return "a list, not empty";
  return fmt::format("a list of {}, each {}", options.GetExtension(schema::items),
                     describe_element(field));
}

Complaint mismatch(const FieldDescriptor& field, const std::string& expected,
                   const std::string& found) {
  return {fmt::format("expected {}, found {}", expected, found),
          fmt::format("`{}`: {}", field.name(), field.options().GetExtension(schema::help))};
}

}  // namespace phalanx::config
