// The only file that knows the parser.
#include "launcher/cli/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/nearest_name.h"
#include "config/load.h"
#include "launcher/cli/help.h"
#include "launcher/error.h"

namespace phalanx::launcher {
namespace {

bool asks_for_help(const std::string& argument) { return argument == "--help" || argument == "-h"; }

std::string did_you_mean(const std::string& found, const std::vector<std::string>& names,
                         const std::string& otherwise) {
  const std::string near = nearest_name(found, names);
  return near.empty() ? otherwise : fmt::format("did you mean `{}`?", near);
}

// The commands whose names begin with `word`: one, or the members of a family like ckpt.
std::vector<Subcommand> family_of(std::span<const Subcommand> commands, const std::string& word) {
  std::vector<Subcommand> family;
  for (const auto& command : commands)
    if (command.name == word || command.name.starts_with(word + " ")) family.push_back(command);
  return family;
}

// The `index`-th words of the names that people may type.
std::vector<std::string> words_at(std::span<const Subcommand> commands, bool second) {
  std::vector<std::string> words;
  for (const auto& command : commands) {
    if (command.group.empty()) continue;
    const auto space = command.name.find(' ');
    words.push_back(second ? command.name.substr(space + 1) : command.name.substr(0, space));
  }
  return words;
}

[[noreturn]] void refuse_word(const std::string& program, std::span<const Subcommand> commands,
                              bool second, const std::vector<std::string>& arguments) {
  const std::string list = fmt::format("`{} --help` lists them", program);
  const std::size_t at = second ? 1 : 0;
  if (arguments.size() <= at)
    throw RefusedError(program + ": expected a command, found none", list);
  throw RefusedError(fmt::format("{}: expected a command, found `{}`", program, arguments[at]),
                     did_you_mean(arguments[at], words_at(commands, second), list));
}

void declare(CLI::App& parser, const Option& option) {
  std::visit(
      [&](auto* target) {
        using Target = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<Target, bool>) {
          parser.add_flag(option.name, *target);
        } else {
          auto* declared = parser.add_option(option.name, *target);
          if (std::is_same_v<Target, std::vector<std::string>> && option.name.starts_with("--"))
            declared->allow_extra_args(false);
        }
      },
      option.target);
}

std::string range_of(const Option& option) {
  if (option.most == Option().most) return fmt::format("at least {}", option.least);
  return fmt::format("a number from {} to {}", option.least, option.most);
}

void check_value(const std::string& program, const Option& option, const std::string& see) {
  const auto& allowed = option.allowed;
  std::visit(
      [&](auto* target) {
        using Target = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<Target, std::string>) {
          if (!allowed.empty() && std::ranges::find(allowed, *target) == allowed.end())
            throw RefusedError(fmt::format("{}: {}: expected {}, found `{}`", program, option.name,
                                           fmt::join(allowed, " or "), *target),
                               did_you_mean(*target, allowed, "these are all there are today"));
        } else if constexpr (std::is_arithmetic_v<Target> && !std::is_same_v<Target, bool>) {
          const auto number = static_cast<double>(*target);
          if (!(number >= option.least && number <= option.most))  // not a number is neither
            throw RefusedError(fmt::format("{}: {}: expected {}, found {}", program, option.name,
                                           range_of(option), *target),
                               see);
        }
      },
      option.target);
}

// Whether `word` is rather a key of the job, known or not, than one of `options` misspelt.
bool is_job_key(const std::string& word, const std::vector<std::string>& options) {
  if (!word.starts_with("--")) return false;
  auto names = options;
  for (const auto& path : config::setting_paths()) names.push_back("--" + path);
  return std::ranges::find(options, nearest_name(word.substr(0, word.find('=')), names)) ==
         options.end();
}

// What a command does not take: all that is left, or of a command with keys of a job what is none.
void refuse_rest(const Subcommand& command, const std::vector<std::string>& rest,
                 const std::string& see) {
  const bool takes_keys = command.job_keys != nullptr;
  std::vector<std::string> names = {"--json", "--help"};
  for (const auto& option : command.options) names.push_back(option.name);
  const auto refused = std::ranges::find_if(
      rest, [&](const std::string& word) { return !takes_keys || !is_job_key(word, names); });
  if (refused == rest.end()) return;
  const std::string name = refused->substr(0, refused->find('='));
  throw RefusedError(
      fmt::format("phalanx {}: expected no `{}`", command.name, name),
      did_you_mean(
          name, names,
          takes_keys ? "a key of the job is written --KEY.PATH=VALUE, without spaces" : see));
}

void parse(const Subcommand& command, std::vector<std::string> arguments, bool& as_json) {
  const std::string program = "phalanx " + command.name;
  const std::string see = fmt::format("`{} --help` says what it takes", program);
  CLI::App parser;
  parser.set_help_flag();
  parser.allow_extras();
  for (const auto& option : command.options) declare(parser, option);
  if (command.prints) parser.add_flag("--json", as_json);
  try {
    std::ranges::reverse(arguments);  // as CLI11 wants them
    parser.parse(arguments);
  } catch (const CLI::ParseError& error) {
    throw RefusedError(fmt::format("{}: {}", program, error.what()), see);
  }
  refuse_rest(command, parser.remaining(),
              see);  // first: a typo is why what is required is missing
  for (const auto& option : command.options) {
    if (option.required && parser.count(option.name) == 0)
      throw RefusedError(fmt::format("{}: expected {}, found none", program, option.name), see);
    check_value(program, option, see);
  }
  if (command.job_keys != nullptr) *command.job_keys = parser.remaining();
}

int print(const std::string& text) {
  write_output(text);
  return static_cast<int>(protocol::ExitCode::kDone);
}

}  // namespace

int run_command_line(std::span<const Subcommand> commands, std::vector<std::string> arguments) {
  if (arguments.empty()) refuse_word("phalanx", commands, false, arguments);
  if (arguments.front() == "--version") arguments.front() = "version";
  if (arguments.front() == "help") {
    std::ranges::rotate(arguments, arguments.begin() + 1);
    arguments.back() = "--help";
  }
  if (asks_for_help(arguments.front())) return print(overview(commands));
  const std::string word = arguments.front();
  const auto family = family_of(commands, word);
  if (family.empty()) refuse_word("phalanx", commands, false, arguments);
  std::size_t words = 1;
  auto command = std::ranges::find(family, word, &Subcommand::name);
  if (command == family.end()) {
    if (arguments.size() > 1 && asks_for_help(arguments[1])) return print(overview(family));
    words = 2;
    if (arguments.size() > 1)
      command = std::ranges::find(family, word + " " + arguments[1], &Subcommand::name);
    if (command == family.end()) refuse_word("phalanx " + word, family, true, arguments);
  }
  arguments.erase(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(words));
  if (std::ranges::any_of(arguments, asks_for_help)) return print(help(*command));
  bool as_json = false;
  parse(*command, std::move(arguments), as_json);
  return command->run(Printer(as_json));
}

}  // namespace phalanx::launcher
