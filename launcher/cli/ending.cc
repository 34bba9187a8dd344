#include "launcher/cli/ending.h"

#include <fmt/format.h>

#include "base/file.h"
#include "checkpoint/directory.h"
#include "launcher/control/run_files.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

using Json = nlohmann::ordered_json;

std::optional<std::int64_t> newest_checkpoint(const std::filesystem::path& run) {
  const auto found = checkpoint::newest_loadable(checkpoint::list_checkpoints(run),
                                                 [](const auto&, const std::string&) {});
  return found ? std::optional(found->manifest.step) : std::nullopt;
}

}  // namespace

Ending ending_of(const std::filesystem::path& run) {
  const protocol::RunDirectory directory(run);
  Ending ending{.outcome = "killed", .checkpoint = newest_checkpoint(run)};
  if (std::filesystem::exists(directory.summary()))
    ending.summary = Json::parse(read_file(directory.summary()), nullptr, false);
  if (ending.summary.is_object()) {
    ending.outcome = ending.summary.value("outcome", "unknown");
    ending.step = ending.summary.value("steps", std::int64_t{0});
  } else {
    ending.summary = nullptr;
    ending.step = control::RunFiles(directory).last_written_step().first;
  }
  return ending;
}

std::string as_text(const Ending& ending) {
  const auto& summary = ending.summary;
  std::string text = fmt::format("over: {} at step {}", ending.outcome, ending.step);
  if (summary.is_object()) {
    text += fmt::format(", exit code {}", summary.value("exit_code", -1));
    const auto cause = summary.find("first_cause");  // null when nothing went wrong
    if (cause != summary.end() && cause->is_string()) text += "\n" + cause->get<std::string>();
    return text;
  }
  text += ", before it could say why\n";
  return text + (ending.checkpoint ? fmt::format("`phalanx run` with the same job goes on from its "
                                                 "checkpoint of step {}",
                                                 *ending.checkpoint)
                                   : "it has no checkpoint: `phalanx run` with the same job begins "
                                     "from the start");
}

Json as_json(const Ending& ending) {
  Json json = {{"schema_version", 1},
               {"phase", "ended"},
               {"outcome", ending.outcome},
               {"step", ending.step},
               {"last_checkpoint", ending.checkpoint.value_or(0)},
               {"summary", ending.summary}};
  return json;
}

}  // namespace phalanx::launcher
