#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "launcher/cli/commands.h"
#include "launcher/cli/run_folder.h"
#include "launcher/cli/worker_call.h"
#include "protocol/messages.pb.h"

namespace phalanx::launcher {
namespace {

using protocol::ExitCode;

struct Options {
  std::string checkpoint, prompt;
  std::int64_t tokens = 100;
  double temperature = 0;
  std::uint64_t seed = 1;
  int threads = 1;
};

protocol::Generate request_of(const Options& options) {
  protocol::Generate request;
  request.set_checkpoint(find_checkpoint(options.checkpoint));
  request.set_prompt(options.prompt);
  request.set_tokens(options.tokens);
  request.set_temperature(options.temperature);
  request.set_seed(options.seed);
  request.set_threads(options.threads);
  return request;
}

// Each piece of text comes as it is made.
int generate(const Options& options, const Printer& printer) {
  const auto request = request_of(options);
  WorkerCall call("--generate", request.SerializeAsString());
  Frame frame;
  protocol::Generated generated;
  std::string text;
  std::int64_t tokens = 0;
  for (; call.receive(frame); ++tokens) {
    if (!generated.ParseFromString(frame.payload)) break;
    text += generated.text();
    if (!printer.as_json()) write_output(generated.text());
  }
  const int code = call.wait();
  if (code == 0)
    printer.print({{"checkpoint", request.checkpoint()},
                   {"prompt", options.prompt},
                   {"tokens", tokens},
                   {"text", text}},
                  "");
  return code;
}

}  // namespace

std::vector<Subcommand> generate_commands() {
  auto options = std::make_shared<Options>();
  return {
      {.name = "generate",
       .group = "Results",
       .summary = "Continue a prompt with a checkpoint's model",
       .options =
           {{"CHECKPOINT", "",
             "A checkpoint, or a run for its newest complete one; the newest run under runs/ "
             "if left out",
             &options->checkpoint},
            {"--prompt", "TEXT", "Text to continue", &options->prompt},
            {.name = "--tokens",
             .value = "N",
             .text = "How many to add; fewer at the end of a document",
             .target = &options->tokens,
             .least = 0},
            {.name = "--temperature",
             .value = "T",
             .text = "0: the likeliest token each time; 1: as the model says; more: bolder",
             .target = &options->temperature,
             .least = 0},
            {"--seed", "N", "Of the sampling: the same seed gives the same text", &options->seed},
            {.name = "--threads",
             .value = "N",
             .text = "Of the computation",
             .target = &options->threads,
             .least = 1}},
       .examples = {"generate runs/tiny-code-model --prompt 'def forward(' --temperature 0.8",
                    "generate runs/tiny-code-model/checkpoints/step-00000200-attempt-1 --json"},
       .exit_codes = {ExitCode::kData, ExitCode::kStorage, ExitCode::kDiffers,
                      ExitCode::kNoCheckpoint},
       .run = [options](const Printer& printer) { return generate(*options, printer); }}};
}

}  // namespace phalanx::launcher
