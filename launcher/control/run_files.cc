#include "launcher/control/run_files.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace phalanx::control {
namespace {

using Json = nlohmann::ordered_json;

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{:.17g}", value) : "null";
}

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

std::string dump(const Json& json, int indent) {
  // Log lines of a worker may hold any bytes.
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json environment() {
  utsname system{};
  ::uname(&system);
  return {{"host", system.nodename},
          {"system", fmt::format("{} {}", system.sysname, system.release)},
          {"machine", system.machine},
          {"cpus", std::thread::hardware_concurrency()},
          {"compiler", __VERSION__}};
}

Json recoveries(const State& state) {
  Json list = Json::array();
  for (const Recovery& recovery : state.recoveries)
    list.push_back({{"rung", recovery.rung.empty() ? Json() : Json(recovery.rung)},
                    {"cause", recovery.cause},
                    {"rank", recovery.rank == kNobody ? Json() : Json(recovery.rank)},
                    {"noticed_seconds", recovery.noticed_seconds},
                    {"resumed_seconds",
                     recovery.resumed_seconds < 0 ? Json() : Json(recovery.resumed_seconds)},
                    {"steps_lost", recovery.steps_lost}});
  return list;
}

std::string times_text(const protocol::StepTimes& times) {
  return fmt::format(
      ", \"data_seconds\": {}, \"forward_seconds\": {}, \"backward_seconds\": {}, "
      "\"communication_seconds\": {}, \"optimizer_seconds\": {}, \"snapshot_seconds\": {}",
      number(times.data()), number(times.forward()), number(times.backward()),
      number(times.communication()), number(times.optimizer()), number(times.snapshot()));
}

// Not a number, which is written as null, while the peak is not known.
double utilisation(double model_flops_per_second, double peak_flops_per_second) {
  return peak_flops_per_second > 0 ? model_flops_per_second / peak_flops_per_second : std::nan("");
}

std::string flops_text(const protocol::StepReport& step) {
  return fmt::format(
      ", \"model_flops_per_second\": {}, \"mfu\": {}", number(step.model_flops_per_second()),
      number(utilisation(step.model_flops_per_second(), step.peak_flops_per_second())));
}

}  // namespace

RunFiles::RunFiles(const protocol::RunDirectory& directory)
    : directory_(directory),
      metrics_(directory.metrics()),
      events_(directory.events()),
      tensorboard_(directory.tensorboard()) {}

void RunFiles::write(const RecordStep& step) {
  metrics_.append(metrics_line(step) + "\n");
  tensorboard_.write(step, wall_seconds());
}

std::string RunFiles::write(const Record& record) {
  std::string line = event_line(record, wall_time());
  events_.append(line + "\n");
  return line;
}

void RunFiles::write_summary(const State& state, const Verdict& verdict, double now) {
  try {
    write_file_atomically(directory_.summary(), summary(state, verdict, now));
  } catch (const StorageError& error) {
    log::error("{}", error.what());
  }
}

std::pair<std::int64_t, std::uint64_t> RunFiles::last_written_step() const {
  try {
    std::string content = read_file(directory_.metrics());
    content.erase(content.rfind('\n') + 1);
    if (content.empty()) return {};
    content.pop_back();
    const Json line = Json::parse(content.substr(content.rfind('\n') + 1), nullptr, false);
    if (line.is_discarded()) return {};
    return {line.value("step", std::int64_t{0}), line.value("generation", std::uint64_t{0})};
  } catch (const StorageError&) {
    return {};  // not written yet
  }
}

std::string metrics_line(const RecordStep& record) {
  const protocol::StepReport& step = record.step;
  std::string line = fmt::format("{{\"step\": {}, \"generation\": {}, \"loss\": {}", step.step(),
                                 step.generation(), number(step.loss()));
  if (step.has_validation_loss())
    line += fmt::format(", \"validation_loss\": {}", number(step.validation_loss()));
  line += fmt::format(
      ", \"grad_norm\": {}, \"lr\": {}, \"tokens\": {}, \"samples\": {}, \"seconds\": {}, "
      "\"tokens_per_second\": {}",
      number(step.grad_norm()), number(step.lr()), step.tokens(), step.samples(),
      number(step.seconds()), number(record.tokens_per_second));
  if (step.has_busiest_expert())
    line += fmt::format(", \"balance_loss\": {}, \"busiest_expert\": {}",
                        number(step.balance_loss()), number(step.busiest_expert()));
  if (step.has_model_flops_per_second()) line += flops_text(step);
  if (step.has_times()) line += times_text(step.times());
  return line + "}";
}

std::string event_line(const Record& record, const std::string& time) {
  Json line = {{"time", time},
               {"generation", record.generation},
               {"kind", record.kind},
               {"node", record.node == kNobody ? Json() : Json(record.node)},
               {"rank", record.rank == kNobody ? Json() : Json(record.rank)},
               {"reason", record.reason}};
  for (const auto& [key, value] : record.details)
    line[key] = std::visit([](const auto& held) { return Json(held); }, value);
  return dump(line, -1);
}

std::string summary(const State& state, const Verdict& verdict, double now) {
  double useful = 0, model_flops = 0;
  for (const StepRecord& record : state.records) {
    useful += record.seconds;
    model_flops += record.model_flops_per_second * record.seconds;
  }
  const double total = now - state.began_at;
  const std::int64_t tokens =
      state.records.empty() ? state.first_tokens : state.records.back().tokens;
  Json json = {
      {"schema_version", 1},
      {"outcome", verdict.outcome},
      {"exit_code", verdict.exit_code},
      {"steps", state.recorded_step()},
      {"tokens", tokens},
      {"seconds", total},
      {"first_cause", verdict.first_cause.empty() ? Json() : Json(verdict.first_cause)},
      {"goodput", number_or_null(total > 0 ? useful / total : 0)},
      {"model_flops_per_second", number_or_null(model_flops / useful)},
      {"mfu", number_or_null(utilisation(model_flops / useful, state.peak_flops_per_second))},
      {"environment", environment()},
      {"recoveries", recoveries(state)}};
  json["environment"]["nodes"] = state.nodes_wanted;
  json["environment"]["ranks"] = state.ranks();
  return dump(json, 2) + "\n";
}

}  // namespace phalanx::control
