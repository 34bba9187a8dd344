#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "launcher/cli/commands.h"
#include "launcher/cli/run_folder.h"
#include "launcher/cli/shown_path.h"
#include "launcher/cli/trace_collection.h"
#include "launcher/error.h"
#include "launcher/trace/clock_alignment.h"
#include "launcher/trace/perfetto_file.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using protocol::ExitCode;
using protocol::RankTrace;

struct Options {
  std::string run, output;
  TraceWish wish{.steps = 3};
};

struct Content {
  std::int64_t first_step = 0, last_step = 0;
  std::int64_t dropped = 0;  // spans
  std::int64_t uncertainty = 0;
  bool by_time_of_day = false;
};

Content content_of(const std::vector<RankTrace>& traces,
                   const std::map<std::string, trace::ClockAlignment>& clocks) {
  Content content{traces.front().spans(0).step(), 0};
  for (const auto& trace : traces) {
    content.dropped += trace.dropped();
    for (const auto& span : trace.spans()) {
      content.first_step = std::min(content.first_step, span.step());
      content.last_step = std::max(content.last_step, span.step());
    }
  }
  for (const auto& [name, clock] : clocks) {
    content.uncertainty = std::max(content.uncertainty, clock.uncertainty);
    content.by_time_of_day |= clock.by_time_of_day;
  }
  return content;
}

void require_folder(const fs::path& output) {
  const fs::path folder = output.has_parent_path() ? output.parent_path() : ".";
  if (!output.empty() && !fs::is_directory(folder))
    throw RefusedError(output.string() + ": expected a folder to write to, found none",
                       "make " + folder.string() + ", or choose another --output");
}

fs::path default_output(const fs::path& run, const Content& content) {
  const fs::path folder = protocol::RunDirectory(run).traces();
  make_folders(folder);
  return folder / fmt::format("steps-{}-{}.pftrace", content.first_step, content.last_step);
}

void warn(const Options& options, const Content& content) {
  const std::int64_t steps = content.last_step - content.first_step + 1;
  if (steps < options.wish.steps)
    std::cerr << fmt::format("warning: the run ended after {} of {} steps\n", steps,
                             options.wish.steps);
  if (options.wish.first_step > 0 && content.first_step != options.wish.first_step)
    std::cerr << fmt::format("warning: step {} had begun before all ranks knew of it\n",
                             options.wish.first_step);
  if (content.dropped > 0)
    std::cerr << fmt::format(
        "warning: {} spans of the first steps are missing, for lack of room; trace fewer steps\n",
        content.dropped);
}

std::string clocks_text(const Content& content, std::size_t clocks) {
  if (clocks == 1) return {};
  if (content.by_time_of_day)
    return fmt::format("\n{} hosts' clocks, as far apart as their times of day", clocks);
  return fmt::format("\n{} hosts' clocks, aligned within {:.0f} us", clocks,
                     static_cast<double>(content.uncertainty) / 1000);
}

int trace_run(const Options& options, const Printer& printer) {
  const fs::path run = find_run(options.run);
  require_folder(options.output);
  const auto traces = collect_traces(run, options.wish);
  if (traces.empty()) return static_cast<int>(ExitCode::kInterrupted);
  const auto clocks = trace::align_clocks(traces);
  const auto content = content_of(traces, clocks);
  const auto file = trace::perfetto_file(traces, clocks);
  const fs::path output =
      options.output.empty() ? default_output(run, content) : fs::path(options.output);
  write_file_atomically(output, file.content);
  warn(options, content);
  printer.print(
      {{"schema_version", 1},
       {"file", output.string()},
       {"first_step", content.first_step},
       {"last_step", content.last_step},
       {"generation", traces.front().generation()},
       {"ranks", traces.size()},
       {"spans", file.spans},
       {"flows", file.flows},
       {"dropped_spans", content.dropped},
       {"clocks", clocks.size()},
       {"clock_uncertainty_seconds",
        content.by_time_of_day ? Json() : Json(static_cast<double>(content.uncertainty) / 1e9)}},
      fmt::format("{}: steps {} to {} of {} ranks, {} spans, {} flows{}\n"
                  "open it at https://ui.perfetto.dev",
                  shown(output), content.first_step, content.last_step, traces.size(), file.spans,
                  file.flows, clocks_text(content, clocks.size())));
  return 0;
}

}  // namespace

std::vector<Subcommand> trace_commands() {
  auto options = std::make_shared<Options>();
  return {
      {.name = "trace",
       .group = "Runs",
       .summary = "Write what all ranks do in some steps as a file for ui.perfetto.dev",
       .details =
           "Asks a run at work, waits for the steps, and merges what the ranks have written. Each "
           "rank is a process with its steps and phases and its collectives and messages; arrows "
           "lead from rank to rank of a collective and from a send to its receive. Ranks that are "
           "not asked write nothing down.",
       .options = {{"RUN", "", "The run's output folder; the newest under runs/ if left out",
                    &options->run},
                   {.name = "--steps",
                    .value = "N",
                    .text = "How many steps",
                    .target = &options->wish.steps,
                    .least = 1,
                    .most = 1000},
                   {.name = "--from",
                    .value = "STEP",
                    .text = "The first one; 0: the next that begins",
                    .target = &options->wish.first_step,
                    .least = 0},
                   {"--output", "FILE",
                    "Where to write; RUN/trace/steps-FIRST-LAST.pftrace if left out",
                    &options->output}},
       .examples = {"trace",
                    "trace runs/tiny-code-model --from 100 --steps 2 --output trace.pftrace"},
       .exit_codes = {ExitCode::kRendezvous, ExitCode::kStorage, ExitCode::kInterrupted},
       .run = [options](const Printer& printer) { return trace_run(*options, printer); }}};
}

}  // namespace phalanx::launcher
