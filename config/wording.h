#pragma once

#include <string>
#include <string_view>
#include <vector>

// How values and lists look in error messages and in YAML.
namespace phalanx::config {

// "a, b or c"
std::string either(const std::vector<std::string>& words);

// The shortest text that reads back as the same double: 0.0003, 1e-8.
std::string number_text(double number);

// A value of the user's: a number as it is, anything else in quotes; long ones cut, control
// characters escaped.
std::string show(std::string_view text);

// A YAML scalar that reads back as `text`, in quotes if it has to be.
std::string yaml_text(const std::string& text);

}  // namespace phalanx::config
