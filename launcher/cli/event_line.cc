#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "launcher/cli/terminal.h"

namespace phalanx::launcher {
namespace {

using Json = nlohmann::json;

std::string generation_formed(const Json& event) {
  if (event.value("generation", 0) <= 1 && event.value("step", 0) == 0) return {};
  const std::string source = event.value("source", "");
  std::string text = fmt::format("generation {}: goes on from step {}",
                                 event.value("generation", 0), event.value("step", 0));
  if (source == "replica")
    text += fmt::format(", the live replica of rank {}", event.value("source_rank", 0));
  else
    text += ", " + source;
  return text + fmt::format("; {} steps lost", event.value("steps_lost", 0));
}

}  // namespace

std::string event_line(const std::string& line) {
  const Json event = Json::parse(line, nullptr, false);
  if (!event.is_object()) return {};
  const std::string kind = event.value("kind", "");
  const std::string reason = event.value("reason", "");
  if (kind == "generation_formed") return generation_formed(event);
  if (kind == "generation_broken") return reason;
  if (kind == "checkpoint_committed") return fmt::format("saved {}", event.value("directory", ""));
  if (kind == "checkpoint_failed")
    return fmt::format("warning: the checkpoint of step {} failed: {}", event.value("step", 0),
                       reason);
  if (kind == "agent_restarted" || kind == "nursery_restarted")
    return fmt::format("node {}: its {} died and was started again: {}", event.value("node", -1),
                       kind.substr(0, kind.find('_')), reason);
  if (kind == "controller_restarted") return "the controller was started again";
  return {};
}

}  // namespace phalanx::launcher
