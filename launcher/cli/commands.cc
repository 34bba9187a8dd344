#include "launcher/cli/commands.h"

#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "launcher/control/controller.h"
#include "launcher/node/agent.h"
#include "launcher/node/keeper.h"
#include "launcher/node/mpi_places.h"

namespace phalanx::launcher {
namespace {

constexpr int kChannel = 3;  // a daemon's end of the socket pair with whoever started it

Subcommand version_command() {
  return {.name = "version",
          .group = "Phalanx",
          .summary = "Print the version",
          .run = [](const Printer& printer) {
            printer.print({{"version", PHALANX_VERSION}}, "phalanx " PHALANX_VERSION);
            return 0;
          }};
}

Subcommand mpi_place_command() {
  struct Options {
    std::string socket;
    int slots = 1;
  };
  auto options = std::make_shared<Options>();
  return {.name = "mpi-place",
          .options = {{"SOCKET", "", "name of the keepers' sockets", &options->socket, true},
                      {"SLOTS", "", "workers per node", &options->slots, true}},
          .prints = false,
          .run = [options](const Printer&) {
            std::vector<std::string> environment;
            for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
            return node::run_mpi_place(options->socket, options->slots, environment);
          }};
}

}  // namespace

std::vector<Subcommand> daemon_commands() {
  std::vector<Subcommand> commands;
  const auto add = [&](const std::string& name, int (*body)(int)) {
    commands.push_back(
        {.name = name, .prints = false, .run = [body](const Printer&) { return body(kChannel); }});
  };
  add("keeper", node::run_keeper);
  add("agent", node::run_agent);
  add("controller", control::run_controller);
  commands.push_back(mpi_place_command());
  return commands;
}

std::vector<Subcommand> all_commands() {
  std::vector<Subcommand> all;
  for (const auto& commands :
       {job_commands(), plan_commands(), parity_commands(), status_commands(), trace_commands(),
        ckpt_commands(), generate_commands(), data_commands(), std::vector{version_command()},
        daemon_commands()})
    all.insert(all.end(), commands.begin(), commands.end());
  return all;
}

}  // namespace phalanx::launcher
