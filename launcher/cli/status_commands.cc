#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "launcher/cli/ask_controller.h"
#include "launcher/cli/commands.h"
#include "launcher/cli/ending.h"
#include "launcher/cli/run_folder.h"

namespace phalanx::launcher {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using protocol::ExitCode;

Json as_json(const control::Status& status) {
  Json json = {{"schema_version", 1},
               {"phase", status.phase()},
               {"generation", status.generation()},
               {"step", status.step()},
               {"steps", status.steps()},
               {"loss", status.loss()},
               {"tokens_per_second", status.tokens_per_second()},
               {"last_checkpoint", status.last_checkpoint()},
               {"recoveries", status.recoveries()},
               {"workers", Json::array()}};
  for (const auto& worker : status.workers())
    json["workers"].push_back({{"rank", worker.rank()},
                               {"node", worker.node()},
                               {"slot", worker.slot()},
                               {"pid", worker.pid()},
                               {"start_time", worker.start_time()},
                               {"state", worker.state()}});
  return json;
}

std::string as_text(const fs::path& run, const control::Status& status) {
  std::string text = fmt::format("{}: {}, step {}/{}, loss {:.4f}, {:.0f} tokens/s\n", run.string(),
                                 status.phase(), status.step(), status.steps(), status.loss(),
                                 status.tokens_per_second());
  text += fmt::format(
      "generation {}, {} recoveries, newest checkpoint: {}\n", status.generation(),
      status.recoveries(),
      status.last_checkpoint() > 0 ? "step " + std::to_string(status.last_checkpoint()) : "none");
  text += "rank  node  slot  pid       state\n";
  for (const auto& worker : status.workers())
    text += fmt::format("{:<4}  {:<4}  {:<4}  {:<8}  {}\n", worker.rank(), worker.node(),
                        worker.slot(), worker.pid(), worker.state());
  return text;
}

int show_status(const std::string& given, const Printer& printer) {
  const auto run = find_run(given);
  const bool at_work = ask_controller(run, [&](control::Client& client) {
    const auto status = client.status();
    printer.print(as_json(status), as_text(run, status));
  });
  if (!at_work) {
    const Ending ending = ending_of(run);
    printer.print(as_json(ending), fmt::format("{}: {}", run.string(), as_text(ending)));
  }
  return 0;
}

int cancel(const std::string& given, const Printer& printer) {
  const auto run = find_run(given);
  const bool at_work = ask_controller(
      run, [](control::Client& client) { client.stop(control::StopRequest::CANCELLED); });
  if (at_work) {
    printer.print({{"run", run.string()}, {"cancelled", true}},
                  run.string() + ": saves and stops after the step it is at");
  } else {
    const Ending ending = ending_of(run);
    printer.print({{"run", run.string()}, {"cancelled", false}, {"ending", as_json(ending)}},
                  fmt::format("{}: nothing to cancel: {}", run.string(), as_text(ending)));
  }
  return 0;
}

Subcommand command(const std::string& name, const std::string& summary, const std::string& details,
                   int (*body)(const std::string&, const Printer&)) {
  auto run = std::make_shared<std::string>();
  return {.name = name,
          .group = "Runs",
          .summary = summary,
          .details = details,
          .options = {{"RUN", "", "The run's output folder; the newest under runs/ if left out",
                       run.get()}},
          .examples = {name, name + " runs/tiny-code-model --json"},
          .exit_codes = {ExitCode::kRendezvous},
          .run = [run, body](const Printer& printer) { return body(*run, printer); }};
}

}  // namespace

std::vector<Subcommand> status_commands() {
  return {command("status", "What a run is doing, or how it ended",
                  "Step, loss, speed and every worker of a run at work; the outcome of one that is "
                  "over.",
                  show_status),
          command("cancel", "Save a run's state and end it",
                  "Returns when the wish is recorded; the run ends after the step it is at, and "
                  "`phalanx run` goes on from there. A run that is over is left as it is.",
                  cancel)};
}

}  // namespace phalanx::launcher
