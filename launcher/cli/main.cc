// phalanx: all that a person or a scheduler calls, and the node's daemons.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "base/nearest_name.h"
#include "checkpoint/error.h"
#include "config/load.h"
#include "data/error.h"
#include "launcher/cli/ckpt_commands.h"
#include "launcher/cli/data_commands.h"
#include "launcher/cli/run.h"
#include "launcher/cli/run_commands.h"
#include "launcher/control/controller.h"
#include "launcher/error.h"
#include "launcher/node/agent.h"
#include "launcher/node/keeper.h"
#include "protocol/exit_code.h"

namespace {

using namespace phalanx;
using protocol::ExitCode;

constexpr int kChannel = 3;

int say(const Error& error, ExitCode code) {
  std::cerr << "error: " << error.what() << '\n';
  if (!error.help().empty()) std::cerr << "help: " << error.help() << '\n';
  return static_cast<int>(code);
}

// The one place where failures become exit codes.
int guarded(const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const config::ConfigError& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(ExitCode::kConfiguration);
  } catch (const launcher::RefusedError& error) {
    return say(error, ExitCode::kConfiguration);
  } catch (const DataError& error) {
    return say(error, ExitCode::kData);
  } catch (const checkpoint::DamagedError& error) {
    return say(error, ExitCode::kDiffers);
  } catch (const checkpoint::CheckpointError& error) {
    return say(error, ExitCode::kNoCheckpoint);
  } catch (const StorageError& error) {
    return say(error, ExitCode::kStorage);
  } catch (const launcher::LaunchError& error) {
    return say(error, ExitCode::kRendezvous);
  } catch (const SystemError& error) {
    return say(error, ExitCode::kOutOfMemory);
  } catch (const std::exception& error) {
    return say(Error(fmt::format("unexpected: {}", error.what()), "this is a bug of phalanx"),
               ExitCode::kBug);
  }
}

void add_run_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<launcher::RunOptions>();
  auto* run = app.add_subcommand("run", "Train: the whole job, on this host");
  run->add_option("JOB", options->job, "Job file (docs/configuration.md)")->required();
  run->add_option("--resume", options->resume,
                  "auto: go on if the output holds a checkpoint; must; never; or a checkpoint");
  run->add_flag("--dry-run", options->dry_run, "Check everything and say what would run");
  run->add_flag("--print-config", options->print_config, "Every value and where it comes from");
  run->add_flag("--json", options->json, "For --print-config");
  run->allow_extras();
  run->footer("Any key of the job file can be given as --key.path=value.");
  run->callback([options, run, &exit_code] {
    options->overrides = run->remaining();
    exit_code = launcher::run(*options);
  });
}

void add_validate_command(CLI::App& app) {
  auto job = std::make_shared<std::string>();
  auto* validate = app.add_subcommand("validate", "Check a job file and say all that is wrong");
  validate->add_option("JOB", *job)->required();
  validate->allow_extras();
  validate->callback([job, validate] {
    config::load_job(*job, validate->remaining());
    std::cout << fmt::format("{}: valid\n", *job);
  });
}

// The node's daemons; started by each other, never by a person.
void add_daemon(CLI::App& app, const std::string& name, int (*body)(int), int& exit_code) {
  app.add_subcommand(name)->group("")->callback([body, &exit_code] { exit_code = body(kChannel); });
}

// Usage errors in the shape of all others. CLI11 would call an unknown command a missing one.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  std::string help = fmt::format("`{} --help` lists what there is", app->get_name());
  return fmt::format("error: {}: {}\nhelp: {}\n", app->get_name(), error.what(), help);
}

void require_known_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::ranges::find(names, argv[1]) != names.end()) return;
  const std::string meant = nearest_name(argv[1], names);
  throw launcher::RefusedError(
      fmt::format("phalanx: expected a command, found `{}`", argv[1]),
      meant.empty() ? "`phalanx --help` lists them" : fmt::format("did you mean `{}`?", meant));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Phalanx trains large models and marches on when a rank falls", "phalanx");
  app.failure_message(usage_error);
  app.require_subcommand(1);
  app.set_version_flag("--version", PHALANX_VERSION);
  int exit_code = 0;
  add_run_command(app, exit_code);
  add_validate_command(app);
  launcher::add_run_commands(app, exit_code);
  launcher::add_ckpt_commands(app);
  launcher::add_data_commands(app);
  add_daemon(app, "keeper", node::run_keeper, exit_code);
  add_daemon(app, "agent", node::run_agent, exit_code);
  add_daemon(app, "controller", control::run_controller, exit_code);
  int usage = 0;
  const int failure = guarded([&] {
    require_known_command(app, argc, argv);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      usage = app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kConfiguration);
    }
  });
  if (failure != 0) return failure;
  return usage != 0 ? usage : exit_code;
}
