#include "launcher/cli/run_commands.h"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/process.h"
#include "launcher/cli/run_file.h"
#include "launcher/control/client.h"
#include "launcher/error.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

using Json = nlohmann::ordered_json;

control::Client client_of(const std::filesystem::path& run) {
  const RunFile file = read_run_file(run);
  return {file.address, file.token};
}

// A run that is over has said so in its summary; it has no controller to ask.
std::optional<Json> summary_of(const std::filesystem::path& run) {
  const auto path = protocol::RunDirectory(run).summary();
  if (!std::filesystem::exists(path)) return std::nullopt;
  return Json::parse(read_file(path));
}

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

void print_status(const std::filesystem::path& run, const control::Status& status) {
  std::cout << fmt::format("{}: {}, step {}/{}, loss {:.4f}, {:.0f} tokens/s\n", run.string(),
                           status.phase(), status.step(), status.steps(), status.loss(),
                           status.tokens_per_second());
  std::cout << fmt::format(
      "generation {}, {} recoveries, newest checkpoint: {}\n", status.generation(),
      status.recoveries(),
      status.last_checkpoint() > 0 ? "step " + std::to_string(status.last_checkpoint()) : "none");
  std::cout << "rank  node  slot  pid       state\n";
  for (const auto& worker : status.workers())
    std::cout << fmt::format("{:<4}  {:<4}  {:<4}  {:<8}  {}\n", worker.rank(), worker.node(),
                             worker.slot(), worker.pid(), worker.state());
}

void print_summary(const std::filesystem::path& run, const Json& summary) {
  std::cout << fmt::format("{}: ended: {}, exit code {}\n", run.string(),
                           summary.value("outcome", "?"), summary.value("exit_code", -1));
  const auto cause = summary.find("first_cause");  // null when nothing went wrong
  if (cause != summary.end() && cause->is_string()) std::cout << cause->get<std::string>() << '\n';
}

void show_status(const std::string& given, bool json) {
  const auto run = find_run(given);
  try {
    const auto status = client_of(run).status();
    if (json)
      std::cout << as_json(status).dump(2) << '\n';
    else
      print_status(run, status);
  } catch (const LaunchError&) {
    const auto summary = summary_of(run);
    if (!summary) throw;
    if (json)
      std::cout << Json{{"schema_version", 1}, {"phase", "ended"}, {"summary", *summary}}.dump(2)
                << '\n';
    else
      print_summary(run, *summary);
  }
}

void cancel(const std::string& given) {
  const auto run = find_run(given);
  client_of(run).stop(control::StopRequest::CANCELLED);
  std::cout << fmt::format("{}: saves and stops after the step it is at\n", run.string());
}

struct GenerateOptions {
  std::string checkpoint, prompt;
  std::int64_t tokens = 100;
  double temperature = 0;
  std::uint64_t seed = 1;
  int threads = 1;
};

// The model is below the Torch line: the worker's program computes it, in the foreground.
int generate(const GenerateOptions& options) {
  Command command;
  command.program = std::filesystem::path(self_program()).parent_path() / "phalanx-worker";
  command.arguments = {"generate",
                       options.checkpoint,
                       "--prompt=" + options.prompt,
                       fmt::format("--tokens={}", options.tokens),
                       fmt::format("--temperature={}", options.temperature),
                       fmt::format("--seed={}", options.seed),
                       fmt::format("--threads={}", options.threads)};
  const auto status = wait_for(start_process(command));
  return status.signal == 0 ? status.code : 128 + status.signal;
}

void add_generate(CLI::App& root, int& exit_code) {
  auto options = std::make_shared<GenerateOptions>();
  auto* command = root.add_subcommand("generate", "Continue a prompt with a checkpoint's model");
  command->add_option("CHECKPOINT", options->checkpoint, "Its folder")->required();
  command->add_option("--prompt", options->prompt, "Text to continue");
  command->add_option("--tokens", options->tokens, "How many to add")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--temperature", options->temperature, "0: the likeliest token each time")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of sampling")->capture_default_str();
  command->add_option("--threads", options->threads)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([options, &exit_code] { exit_code = generate(*options); });
}

}  // namespace

void add_run_commands(CLI::App& root, int& exit_code) {
  auto run = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  auto* status = root.add_subcommand("status", "What a run is doing");
  status->add_option("RUN", *run, "Its output folder; the newest under runs/ by default");
  status->add_flag("--json", *json);
  status->callback([run, json] { show_status(*run, *json); });

  auto* cancelling = root.add_subcommand("cancel", "Save a run's state and end it");
  cancelling->add_option("RUN", *run, "Its output folder; the newest under runs/ by default");
  cancelling->callback([run] { cancel(*run); });

  add_generate(root, exit_code);
  root.add_subcommand("version", "Print the version")->callback([] {
    std::cout << "phalanx " PHALANX_VERSION "\n";
  });
}

}  // namespace phalanx::launcher
