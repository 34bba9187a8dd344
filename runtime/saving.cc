#include "runtime/saving.h"

#include <filesystem>

#include "base/clock.h"
#include "checkpoint/directory.h"
#include "runtime/owned_state.h"

namespace phalanx::runtime {
namespace {

// A disk that has not taken a shard by then has failed.
constexpr auto kWriteDeadline = std::chrono::minutes(10);

protocol::FromWorker result_message(const checkpoint::SaveResult& result,
                                    protocol::ShardSaved saved) {
  protocol::FromWorker message;
  if (result.shard) {
    saved.set_shard(checkpoint::encode(*result.shard));
    *message.mutable_shard_saved() = std::move(saved);
  } else {
    auto& failed = *message.mutable_save_failed();
    failed.set_generation(saved.generation());
    failed.set_step(saved.step());
    failed.set_rank(saved.rank());
    failed.set_message(result.error);
  }
  return message;
}

}  // namespace

Saving::Saving(const config::Job& job, int attempt, KeeperLink& keeper)
    : job_(job), attempt_(attempt), keeper_(keeper) {}

bool Saving::has(std::int64_t step) const {
  std::error_code ignored;  // whatever the disk says: not there means save again
  return std::filesystem::exists(checkpoint::complete_path(job_.output, {step, attempt_}), ignored);
}

void Saving::prepare(const ModelState& state) {
  // A job that saves only at its end has the whole run's memory for itself until then.
  if (job_.checkpoint.every == 0) return;
  std::int64_t elements = 0;
  for (const auto& part : state.parts()) elements += part.bucket.slice();
  writer_.reserve(static_cast<std::size_t>(elements) * kinds_of_state().size());
}

void Saving::save(ModelState& state, std::uint64_t generation) {
  const auto begin = Clock::now();
  std::vector<checkpoint::GlobalTensor> tensors;
  for (const auto& spec : state.specs()) tensors.push_back({spec.name, spec.shape});
  const auto owned = owned_state(state);

  protocol::ShardSaved saved;
  saved.set_generation(generation);
  saved.set_step(state.progress.step);
  saved.set_rank(state.rank());
  saved.set_samples(state.progress.samples);
  saved.set_tokens(state.progress.tokens);
  const auto directory =
      checkpoint::partial_path(job_.output, {state.progress.step, attempt_}, generation);
  // The writer's thread may be done before save() returns, and then has no stall to report.
  auto stall = std::make_shared<std::atomic<double>>(0);
  writer_.save(directory, checkpoint::shard_file(state.rank(), state.partition().mesh.ranks()),
               tensors, owned.views, Clock::now() + kWriteDeadline,
               [this, saved, stall](const checkpoint::SaveResult& result) mutable {
                 saved.set_stall_seconds(*stall);
                 keeper_.send(result_message(result, std::move(saved)));
               });
  *stall = seconds(Clock::now() - begin);
}

void Saving::finish() { (void)writer_.wait_idle(Clock::now() + kWriteDeadline); }

}  // namespace phalanx::runtime
