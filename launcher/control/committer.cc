#include "launcher/control/committer.h"

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/commit.h"
#include "checkpoint/directory.h"
#include "checkpoint/manifest.h"
#include "config/load.h"
#include "layout/tensor_spec.h"

namespace phalanx::control {
namespace {

checkpoint::Manifest make_manifest(const config::Job& job, int attempt,
                                   const CommitCheckpoint& commit) {
  checkpoint::Manifest manifest;
  manifest.step = manifest.optimizer_step = commit.step;
  manifest.attempt = attempt;
  manifest.generation = commit.generation;
  manifest.phalanx_version = PHALANX_VERSION;
  manifest.cursor = commit.samples;
  manifest.tokens = commit.tokens;
  manifest.job_yaml = config::to_yaml(job);
  for (const auto& spec : layout::tensor_specs(job.model))
    manifest.tensors.push_back({spec.name, spec.shape});
  manifest.kinds = {"parameter", "adam_m", "adam_v"};
  for (const std::string& shard : commit.shards)
    manifest.shards.push_back(checkpoint::decode_shard(shard));
  return manifest;
}

}  // namespace

Committer::Committer(const config::Job& job, std::filesystem::path output, int attempt,
                     std::function<void(Event)> answer)
    : job_(job),
      output_(std::move(output)),
      attempt_(attempt),
      answer_(std::move(answer)),
      thread_([this] { run(); }) {}

Committer::~Committer() {
  const std::lock_guard lock(mutex_);
  leaving_ = true;
  changed_.notify_one();
}

void Committer::commit(CommitCheckpoint commit) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(commit));
  changed_.notify_one();
}

void Committer::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return leaving_ || !waiting_.empty(); });
    if (leaving_) return;
    const CommitCheckpoint commit = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    answer_(carry_out(commit));
    prune(commit.generation);
  }
}

Event Committer::carry_out(const CommitCheckpoint& commit) const {
  Event event;
  try {
    const auto partial =
        checkpoint::partial_path(output_, {commit.step, attempt_}, commit.generation);
    const auto path = checkpoint::commit(partial, make_manifest(job_, attempt_, commit));
    SavedState& state = *event.mutable_committed()->mutable_state();
    state.set_directory(path.string());
    state.set_step(commit.step);
    state.set_tokens(commit.tokens);
  } catch (const std::exception& error) {
    event.mutable_commit_failed()->set_step(commit.step);
    event.mutable_commit_failed()->set_message(error.what());
  }
  return event;
}

void Committer::prune(std::uint64_t generation) const {
  try {
    checkpoint::prune(output_, job_.checkpoint.keep, {attempt_, generation});
  } catch (const Error& error) {
    log::warn("old checkpoints were not removed: {}", error.what());
  }
}

SavedState read_saved_state(const std::string& directory) {
  const checkpoint::Manifest manifest = checkpoint::read_manifest(directory);
  SavedState state;
  state.set_directory(directory);
  state.set_step(manifest.step);
  state.set_tokens(manifest.tokens);
  return state;
}

}  // namespace phalanx::control
