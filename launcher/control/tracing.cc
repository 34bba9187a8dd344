#include "launcher/control/tracing.h"

#include <utility>

namespace phalanx::control {

namespace {

bool can_be_asked(const State& state, const TraceRequest& request) {
  const std::int64_t first =
      request.has_first_step() ? request.first_step() : state.recorded_step() + 1;
  return state.phase == State::Phase::kTraining && request.steps() > 0 &&
         first > state.recorded_step() && first <= state.steps;
}

}  // namespace

void take_trace(Decision& decision, const TraceRequest& request) {
  const State& state = decision.state;
  if (!can_be_asked(state, request)) return;
  decision.record("trace_requested").details = {
      {"id", request.id()}, {"first_step", request.first_step()}, {"steps", request.steps()}};
  protocol::NodeCommand command;
  protocol::Trace& trace = *command.mutable_trace();
  trace.set_generation(state.generation);
  trace.set_id(request.id());
  trace.set_first_step(request.first_step());
  trace.set_steps(request.steps());
  decision.send_all(std::move(command));
}

TraceAnswer trace_answer(const State& state, const TraceRequest& request) {
  TraceAnswer answer;
  answer.set_generation(can_be_asked(state, request) ? state.generation : 0);
  answer.set_step(state.recorded_step());
  answer.set_last_step(state.steps);
  answer.set_ranks(state.ranks());
  return answer;
}

}  // namespace phalanx::control
