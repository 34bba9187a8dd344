#include "launcher/cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace phalanx::launcher {
namespace {

constexpr std::size_t kWidth = 100;  // columns

struct Row {
  std::string left, right;
};

// `text` in lines that begin at column `indent`, the first one excepted.
std::string wrap(const std::string& text, std::size_t indent) {
  std::string wrapped;
  std::size_t column = indent;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (column > indent && column + 1 + word.size() > kWidth) {
      wrapped += '\n';
      wrapped.append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      wrapped += " ";
      ++column;
    }
    wrapped += word;
    column += word.size();
    begin = end + 1;
  }
  return wrapped;
}

std::string section(const std::string& title, const std::vector<Row>& rows) {
  if (rows.empty()) return {};
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.left.size());
  std::string text = fmt::format("\n{}:\n", title);
  for (const auto& row : rows)
    text += fmt::format("  {:<{}}  {}\n", row.left, width, wrap(row.right, width + 4));
  return text;
}

std::string default_of(const Option& option) {
  return std::visit(
      [](const auto* target) -> std::string {
        using Target = std::remove_cv_t<std::remove_pointer_t<decltype(target)>>;
        if constexpr (std::is_same_v<Target, std::vector<std::string>> ||
                      std::is_same_v<Target, bool>)
          return {};
        else if constexpr (std::is_same_v<Target, std::string>)
          return target->empty() ? "" : fmt::format(" [default: {}]", *target);
        else
          return fmt::format(" [default: {}]", *target);
      },
      option.target);
}

bool is_argument(const Option& option) { return !option.name.starts_with("--"); }

std::string left_of(const Option& option) {
  if (is_argument(option)) {
    const bool many = std::holds_alternative<std::vector<std::string>*>(option.target);
    const std::string name = option.name + (many ? "..." : "");
    return option.required ? name : fmt::format("[{}]", name);
  }
  return option.value.empty() ? option.name : option.name + " " + option.value;
}

Row row_of(const Option& option) {
  std::string text = option.text;
  if (!option.allowed.empty()) text += fmt::format(" [{}]", fmt::join(option.allowed, ", "));
  if (option.required && !is_argument(option)) text += " (required)";
  return {left_of(option), option.required ? text : text + default_of(option)};
}

std::string usage(const Subcommand& command) {
  std::string line = "phalanx " + command.name;
  for (const auto& option : command.options)
    if (option.required && !is_argument(option)) line.append(" ").append(left_of(option));
  line += " [OPTIONS]";
  for (const auto& option : command.options)
    if (is_argument(option)) line.append(" ").append(left_of(option));
  if (command.job_keys != nullptr) line += " [--KEY.PATH=VALUE ...]";
  return line;
}

std::vector<Row> exit_codes(const Subcommand& command) {
  std::vector<Row> rows;
  const auto add = [&](protocol::ExitCode code) {
    rows.push_back({std::to_string(static_cast<int>(code)), protocol::meaning(code)});
  };
  add(protocol::ExitCode::kDone);
  add(protocol::ExitCode::kConfiguration);
  for (const auto code : command.exit_codes) add(code);
  return rows;
}

std::vector<Row> options_of(const Subcommand& command) {
  std::vector<Row> rows;
  for (const auto& option : command.options)
    if (!is_argument(option)) rows.push_back(row_of(option));
  if (command.prints) rows.push_back({"--json", "Print the result as JSON"});
  if (command.job_keys != nullptr)
    rows.push_back({"--KEY.PATH=VALUE",
                    "Any key of the job file, like --train.steps=500; it "
                    "counts instead of the file's (docs/configuration.md)"});
  rows.push_back({"-h, --help", "Print this help"});
  return rows;
}

}  // namespace

std::string overview(std::span<const Subcommand> commands) {
  const auto space = commands.front().name.find(' ');
  const bool family = std::ranges::all_of(commands, [&](const Subcommand& command) {
    return space != std::string::npos &&
           command.name.starts_with(commands.front().name.substr(0, space + 1));
  });
  const std::string program =
      family ? "phalanx " + commands.front().name.substr(0, space) : "phalanx";
  std::string text =
      family ? "" : "Phalanx trains large models and marches on when a rank falls.\n\n";
  text += fmt::format("Usage: {} COMMAND [OPTIONS]\n", program);
  std::vector<std::string> groups;
  for (const auto& command : commands)
    if (!command.group.empty() && std::ranges::find(groups, command.group) == groups.end())
      groups.push_back(command.group);
  std::size_t width = 0;
  for (const auto& command : commands) width = std::max(width, command.name.size());
  for (const auto& group : groups) {
    std::vector<Row> rows;
    for (const auto& command : commands)
      if (command.group == group)
        rows.push_back({fmt::format("{:<{}}", command.name, width), command.summary});
    text += section(group, rows);
  }
  text += "\n`phalanx COMMAND --help` says what a command takes and shows examples.\n";
  if (family) return text;
  return text +
         "\nExamples:\n"
         "  phalanx data prepare my_texts/ --output corpus/train.tokens --tokenizer bytes\n"
         "  phalanx run job.yaml --train.steps=500\n"
         "  phalanx status\n";
}

std::string help(const Subcommand& command) {
  std::string text = fmt::format("{}\n\nUsage: {}\n", command.summary, usage(command));
  if (!command.details.empty()) text += fmt::format("\n{}\n", wrap(command.details, 0));
  std::vector<Row> arguments;
  for (const auto& option : command.options)
    if (is_argument(option)) arguments.push_back(row_of(option));
  text += section("Arguments", arguments);
  text += section("Options", options_of(command));
  text += section("Exit codes", exit_codes(command));
  if (command.examples.empty()) return text;
  text += "\nExamples:\n";
  for (const auto& example : command.examples)
    text.append("  phalanx ").append(example).append("\n");
  return text;
}

}  // namespace phalanx::launcher
