#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "config/load.h"
#include "launcher/cli/commands.h"
#include "launcher/cli/plan_report.h"
#include "launcher/cli/resolve.h"
#include "launcher/cli/shown_path.h"
#include "planner/plan.h"

namespace phalanx::launcher {
namespace {

struct PlanOptions {
  std::string job, drawing;
  std::vector<std::string> overrides;
};

int plan(const PlanOptions& options, const Printer& printer) {
  auto loaded = config::load_job(options.job, options.overrides);
  resolve_vocabulary(loaded);
  const auto plan = planner::plan(loaded.job);
  auto json = plan_json(loaded.job, plan);
  auto text = plan_text(loaded.job, plan);
  if (!options.drawing.empty()) {
    write_file_atomically(options.drawing, planner::draw(loaded.job, plan));
    json["drawing"] = options.drawing;
    text += fmt::format("the schedule, drawn: {}\n", shown(options.drawing));
  }
  printer.print(json, text);
  return 0;
}

}  // namespace

std::vector<Subcommand> plan_commands() {
  auto options = std::make_shared<PlanOptions>();
  return {
      {.name = "plan",
       .group = "Training",
       .summary = "Say what a job will need: who holds what, memory, traffic",
       .details =
           "Prints the mesh, the parts of the model by rank, bytes of parameters, gradients, "
           "optimizer and activations of a rank, bytes that it sends in a step, and how long ranks "
           "of the pipeline wait. Starts nothing and reads no data.",
       .options = {{"JOB", "", "The job file", &options->job, true},
                   {"--draw-schedule", "FILE.svg",
                    "Draw what every rank of the pipeline does in a step", &options->drawing}},
       .job_keys = &options->overrides,
       .examples = {"plan job.yaml", "plan job.yaml --parallel.pipeline=4 --parallel.zero_stage=1",
                    "plan job.yaml --parallel.pipeline=4 --draw-schedule step.svg --json"},
       .exit_codes = {protocol::ExitCode::kLayout, protocol::ExitCode::kStorage},
       .run = [options](const Printer& printer) { return plan(*options, printer); }}};
}

}  // namespace phalanx::launcher
