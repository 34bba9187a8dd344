#include "launcher/control/archive.h"

#include <algorithm>

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

SavedState saved_state(const std::string& directory, const checkpoint::Manifest& manifest) {
  SavedState state;
  state.set_directory(directory);
  state.set_step(manifest.step);
  state.set_tokens(manifest.tokens);
  return state;
}

}  // namespace

Archive::Archive(const protocol::ControllerStart& start, const config::Job& job, Answer answer)
    : start_(start),
      job_(job),
      output_(start.output()),
      answer_(std::move(answer)),
      thread_([this] { run(); }) {}

Archive::~Archive() {
  const std::lock_guard lock(mutex_);
  leaving_ = true;
  changed_.notify_one();
}

void Archive::commit(CommitCheckpoint commit) {
  post([this, commit = std::move(commit)] {
    answer_(carry_out(commit));
    prune(commit.generation);
  });
}

void Archive::discard(DiscardSave save) {
  post([this, save] { remove(save); });
}

void Archive::find(FindCheckpoint search) {
  post([this, search = std::move(search)] { answer_(carry_out(search)); });
}

void Archive::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(work));
  changed_.notify_one();
}

void Archive::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return leaving_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
  }
}

Event Archive::carry_out(const CommitCheckpoint& commit) const {
  Event event;
  try {
    const auto partial =
        checkpoint::partial_path(output_, {commit.step, start_.attempt()}, commit.generation);
    const auto manifest = make_manifest(job_, start_.attempt(), commit);
    const auto path = checkpoint::commit(partial, manifest);
    *event.mutable_committed()->mutable_state() = saved_state(path.string(), manifest);
  } catch (const std::exception& error) {
    event.mutable_commit_failed()->set_step(commit.step);
    event.mutable_commit_failed()->set_message(error.what());
  }
  return event;
}

// A checkpoint that the user has chosen stands for all earlier attempts.
Event Archive::carry_out(const FindCheckpoint& search) const {
  Event event;
  CheckpointFound& found = *event.mutable_found();
  const auto pass_over = [&](const std::string& directory, const std::string& reason) {
    auto& checkpoint = *found.add_passed_over();
    checkpoint.set_directory(directory);
    checkpoint.set_reason(reason);
  };
  try {
    auto entries = checkpoint::list_checkpoints(output_);
    std::erase_if(entries, [&](const auto& entry) {
      return entry.state != checkpoint::CheckpointEntry::State::kComplete ||
             (start_.resume_is_chosen() && entry.id.attempt < start_.attempt());
    });
    if (start_.resume_is_chosen()) entries.push_back({start_.resume()});
    std::erase_if(entries, [&](const auto& entry) {
      return std::ranges::find(search.except, entry.path.string()) != search.except.end();
    });
    const auto newest =
        checkpoint::newest_loadable(entries, [&](const auto& entry, const std::string& reason) {
          pass_over(entry.path.string(), reason);
        });
    if (newest) *found.mutable_state() = saved_state(newest->path.string(), newest->manifest);
  } catch (const Error& error) {
    pass_over(output_.string(), error.what());
  }
  return event;
}

void Archive::remove(const DiscardSave& save) const {
  const auto partial =
      checkpoint::partial_path(output_, {save.step, start_.attempt()}, save.generation);
  try {
    std::error_code ignored;
    if (std::filesystem::exists(partial, ignored)) checkpoint::remove_checkpoint(partial);
  } catch (const Error& error) {
    log::warn("a checkpoint that could not be saved was not removed: {}", error.what());
  }
}

void Archive::prune(std::uint64_t generation) const {
  try {
    checkpoint::prune(output_, job_.checkpoint.keep, {start_.attempt(), generation});
  } catch (const Error& error) {
    log::warn("old checkpoints were not removed: {}", error.what());
  }
}

SavedState read_saved_state(const std::string& directory) {
  return saved_state(directory, checkpoint::read_manifest(directory));
}

}  // namespace phalanx::control
