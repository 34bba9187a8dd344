#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace phalanx::config {
namespace {

bool is_number(std::string_view text) {
  double number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error != std::errc::invalid_argument && end == text.data() + text.size();
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::string escaped(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if (is_control(c))
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      result += c;
  }
  return result + '"';
}

// The first bytes of `text`, cut between UTF-8 characters.
std::string_view beginning(std::string_view text, std::size_t size) {
  while (size > 0 && (text[size] & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

// Words that YAML takes for something else than text.
bool is_reserved(std::string text) {
  static constexpr std::array kWords = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

}  // namespace

std::string either(const std::vector<std::string>& words) {
  if (words.size() < 2) return words.empty() ? "" : words.front();
  const std::vector<std::string> all_but_last(words.begin(), words.end() - 1);
  return fmt::format("{} or {}", fmt::join(all_but_last, ", "), words.back());
}

std::string number_text(double number) {
  auto text = fmt::format("{}", number);
  const auto zero = text.find("e-0");
  if (zero != std::string::npos) text.erase(zero + 2, 1);
  return text;
}

std::string show(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  if (text.size() > kLongest) return escaped(beginning(text, kLongest)) + "...";
  return is_number(text) ? std::string(text) : escaped(text);
}

std::string yaml_text(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '/' || c == '.' || c == '-';
  };
  const bool starts_plain = !text.empty() && text.front() != '-' && text.front() != '.';
  const bool is_plain = starts_plain && std::all_of(text.begin(), text.end(), plain);
  return is_plain && !is_number(text) && !is_reserved(text) ? text : escaped(text);
}

}  // namespace phalanx::config
