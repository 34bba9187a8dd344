#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "config/load.h"
#include "launcher/cli/commands.h"
#include "launcher/cli/run.h"
#include "layout/layout_error.h"
#include "layout/partition.h"

namespace phalanx::launcher {
namespace {

using Json = nlohmann::ordered_json;
using protocol::ExitCode;

struct ValidateOptions {
  std::string job;
  std::vector<std::string> overrides;
};

Json as_json(const config::ConfigProblem& problem) {
  return {{"source", problem.place.source}, {"line", problem.place.line},
          {"column", problem.place.column}, {"key", problem.path},
          {"message", problem.message},     {"help", problem.help}};
}

int validate(const ValidateOptions& options, const Printer& printer) {
  Json result = {{"job", options.job}, {"valid", true}, {"problems", Json::array()}};
  try {
    layout::partition(config::load_job(options.job, options.overrides).job);
    printer.print(result, options.job + ": valid");
    return 0;
  } catch (const layout::LayoutError& error) {
    result["valid"] = false;
    result["problems"].push_back({{"message", error.what()}, {"help", error.help()}});
    if (printer.as_json()) printer.print(result, {});
    throw;
  } catch (const config::ConfigError& error) {
    result["valid"] = false;
    for (const auto& problem : error.problems()) result["problems"].push_back(as_json(problem));
    if (printer.as_json()) printer.print(result, {});
    throw;
  }
}

Subcommand run_command() {
  auto options = std::make_shared<RunOptions>();
  return {
      .name = "run",
      .group = "Training",
      .summary = "Train: the whole job, on this host",
      .details =
          "Goes on from the newest checkpoint of the job's output if there is one. Ctrl-C and "
          "SIGTERM save and stop; a second Ctrl-C stops now.",
      .options =
          {{"JOB", "", "The job file", &options->job, true},
           {"--resume", "HOW",
            "auto: go on if the output holds a checkpoint; must: fail if it does not; never: fail "
            "if the output holds a run; or the folder of the checkpoint to go on from",
            &options->resume},
           {"--dry-run", "", "Check everything, say what would run, and make nothing",
            &options->dry_run},
           {"--print-config", "", "Print every key with its value and where that comes from",
            &options->print_config}},
      .job_keys = &options->overrides,
      .examples = {"run job.yaml", "run job.yaml --train.steps=500 --launch.ranks_per_node=4",
                   "run job.yaml --resume=must --json",
                   "run job.yaml --resume=runs/NAME/checkpoints/step-00000100-attempt-1"},
      .exit_codes = {ExitCode::kLayout, ExitCode::kPreflight, ExitCode::kRendezvous,
                     ExitCode::kData, ExitCode::kStorage, ExitCode::kTrainingCode, ExitCode::kHang,
                     ExitCode::kNodesLost, ExitCode::kNoCheckpoint, ExitCode::kDiverged,
                     ExitCode::kOutOfMemory, ExitCode::kPreempted, ExitCode::kPreemptedUnsaved,
                     ExitCode::kInterrupted},
      .run = [options](const Printer& printer) { return run(*options, printer); }};
}

Subcommand validate_command() {
  auto options = std::make_shared<ValidateOptions>();
  return {.name = "validate",
          .group = "Training",
          .summary = "Check a job file and say all that is wrong",
          .options = {{"JOB", "", "The job file", &options->job, true}},
          .job_keys = &options->overrides,
          .examples = {"validate job.yaml", "validate job.yaml --train.global_batch=64 --json"},
          .exit_codes = {ExitCode::kLayout},
          .run = [options](const Printer& printer) { return validate(*options, printer); }};
}

}  // namespace

std::vector<Subcommand> job_commands() { return {run_command(), validate_command()}; }

}  // namespace phalanx::launcher
