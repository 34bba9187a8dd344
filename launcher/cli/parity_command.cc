#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/load.h"
#include "launcher/cli/commands.h"
#include "launcher/cli/parity_report.h"
#include "launcher/cli/resolve.h"
#include "launcher/cli/worker_call.h"
#include "launcher/error.h"
#include "layout/mesh_fit.h"
#include "protocol/messages.pb.h"

namespace phalanx::launcher {
namespace {

using protocol::ExitCode;

struct Options {
  std::string job, against = "data=1", precision = "fp64";
  std::int64_t steps = 3;
  std::vector<std::string> overrides;
};

// The keys of a layout written as "data=2,tensor=2", of which those left out switch their axis off.
std::vector<std::string> keys_of(const std::string& layout) {
  std::vector<std::string> keys = {
      "parallel.data=1",        "parallel.tensor=1",         "parallel.pipeline=1",
      "parallel.context=1",     "parallel.expert=1",         "parallel.zero_stage=0",
      "parallel.schedule=1f1b", "parallel.virtual_stages=1", "parallel.recompute=none"};
  std::stringstream parts(layout);
  for (std::string part; std::getline(parts, part, ',');) keys.push_back("parallel." + part);
  return keys;
}

config::Job resolved(const Options& options, const std::vector<std::string>& more) {
  auto overrides = options.overrides;
  overrides.insert(overrides.end(), more.begin(), more.end());
  auto loaded = config::load_job(options.job, overrides);
  resolve(loaded);
  return loaded.job;
}

// The same job in the other layout, on as many ranks as that has.
config::Job against(const Options& options) {
  auto keys = keys_of(options.against);
  const auto& parallel = config::load_job(options.job,
                                          [&] {
                                            auto all = options.overrides;
                                            all.insert(all.end(), keys.begin(), keys.end());
                                            return all;
                                          }())
                             .job.parallel;
  keys.push_back(fmt::format("launch.ranks_per_node={}", parallel.data * parallel.tensor *
                                                             parallel.pipeline * parallel.context));
  keys.push_back("launch.emulate_nodes=1");
  return resolved(options, keys);
}

std::string describe_layout(const config::Job& job) {
  const auto mesh = layout::fit_mesh(job.parallel, job.ranks());
  std::string text;
  const auto add = [&](const char* axis, std::int64_t size) {
    if (size > 1) text += fmt::format("{}{} {}", text.empty() ? "" : " x ", axis, size);
  };
  add("pipeline", mesh.pipeline);
  add("data", mesh.data);
  add("context", mesh.context);
  add("tensor", mesh.tensor);
  if (mesh.expert > 1) text += fmt::format(", expert {}", mesh.expert);
  if (job.parallel.zero_stage > 0) text += fmt::format(", ZeRO-{}", job.parallel.zero_stage);
  return text.empty() ? "one rank" : text;
}

int parity(const Options& options, const Printer& printer) {
  const auto job = resolved(options, {}), other = against(options);
  const auto tolerance = parity_tolerance(options.precision);
  protocol::Parity request;
  request.set_job(config::to_yaml(job));
  request.set_against(config::to_yaml(other));
  request.set_precision(options.precision);
  request.set_steps(options.steps);
  WorkerCall call("--parity", request.SerializeAsString());
  Frame frame;
  protocol::ParityResult result;
  const bool answered = call.receive(frame) && result.ParseFromString(frame.payload);
  const int code = call.wait();
  if (code != 0 || !answered) return code != 0 ? code : static_cast<int>(ExitCode::kBug);

  const auto first = first_difference(result, tolerance);
  const auto layouts = fmt::format("{}, against {}", describe_layout(job), describe_layout(other));
  printer.print(parity_json(result, tolerance), layouts + '\n' + parity_text(result, tolerance));
  if (first.empty()) return 0;
  throw DiffersError(layouts + ": what differs first is " + first,
                     "--precision=fp64 tells rounding from a mistake; --json shows every tensor");
}

}  // namespace

std::vector<Subcommand> parity_commands() {
  auto options = std::make_shared<Options>();
  return {
      {.name = "parity",
       .group = "Training",
       .summary = "Prove that a job's layout computes what another one does",
       .details = "Trains the job's model for a few steps in both layouts from the same start and "
                  "compares, tensor by tensor, the gradients of the first step, then losses and "
                  "gradient norms. All ranks are threads of one process on this host.",
       .options = {{"JOB", "", "The job file", &options->job, true},
                   {"--against", "LAYOUT",
                    "The other layout, as keys of `parallel`: data=2,tensor=2; what is left out is "
                    "off",
                    &options->against},
                   {.name = "--precision",
                    .value = "TYPE",
                    .text = "What both compute in",
                    .target = &options->precision,
                    .allowed = {"fp64", "fp32", "bf16"}},
                   {.name = "--steps",
                    .value = "N",
                    .text = "Steps to compare",
                    .target = &options->steps,
                    .least = 1}},
       .job_keys = &options->overrides,
       .examples = {"parity job.yaml --parallel.tensor=2",
                    "parity job.yaml --against=data=4 --precision=fp32 --json"},
       .exit_codes = {ExitCode::kLayout, ExitCode::kData, ExitCode::kDiffers},
       .run = [options](const Printer& printer) { return parity(*options, printer); }}};
}

}  // namespace phalanx::launcher
