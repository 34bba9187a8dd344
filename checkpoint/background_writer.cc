#include "checkpoint/background_writer.h"

#include <signal.h>

#include <algorithm>

#include "base/error.h"

namespace phalanx::checkpoint {

struct BackgroundWriter::Save {
  std::filesystem::path directory;
  std::string file;
  std::vector<GlobalTensor> tensors;
  std::vector<StateView> views;  // into staging memory
  Done done;

  SaveResult write() const;
};

SaveResult BackgroundWriter::Save::write() const {
  try {
    return {write_shard(directory, file, tensors, views), {}, {}};
  } catch (const Error& error) {
    return {std::nullopt, error.what(), error.help()};
  } catch (const std::exception& error) {
    return {std::nullopt, (directory / file).string() + ": cannot be saved: " + error.what(), {}};
  }
}

namespace {

// A thread that no signal reaches: they are for the main thread, and a file that outgrows
// RLIMIT_FSIZE is then an error of write(2) instead of the end of the process (SIGXFSZ).
template <typename Body>
std::thread start_without_signals(Body body) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

BackgroundWriter::BackgroundWriter() : thread_(start_without_signals([this] { run(); })) {}

BackgroundWriter::~BackgroundWriter() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundWriter::save(const std::filesystem::path& directory, const std::string& file,
                            const std::vector<GlobalTensor>& tensors,
                            std::span<const StateView> views, TimePoint deadline, Done done) {
  const std::string name = (directory / file).string();
  std::size_t elements = 0;
  for (const auto& view : views) elements += view.data.size();
  reserve(elements);
  if (!wait_idle(deadline))
    return done({std::nullopt, name + ": not saved: the save before it is still being written",
                 "save less often (checkpoint.every), or to a faster disk"});
  if (staging_.size() < elements)
    return done({std::nullopt, name + ": not saved: no memory to copy the state into", {}});
  auto save = std::make_unique<Save>(Save{directory, file, tensors, stage(views), std::move(done)});
  {
    const std::lock_guard lock(mutex_);
    pending_ = std::move(save);
  }
  changed_.notify_all();
}

bool BackgroundWriter::wait_idle(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return is_idle(); });
}

void BackgroundWriter::reserve(std::size_t elements) {
  {
    const std::lock_guard lock(mutex_);
    reserved_ = std::max(reserved_, elements);
  }
  changed_.notify_all();
}

std::vector<StateView> BackgroundWriter::stage(std::span<const StateView> views) {
  std::vector<StateView> staged(views.begin(), views.end());
  float* at = staging_.data();
  for (auto& view : staged) {
    std::ranges::copy(view.data, at);
    view.data = {at, view.data.size()};
    at += view.data.size();
  }
  return staged;
}

void BackgroundWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return leaving_ || !is_idle(); });
    if (pending_ != nullptr)
      write(lock);
    else if (leaving_)
      return;
    else
      grow(lock);
    changed_.notify_all();
  }
}

void BackgroundWriter::write(std::unique_lock<std::mutex>& lock) {
  const Save& save = *pending_;  // save() leaves it alone until it is gone
  lock.unlock();
  save.done(save.write());
  lock.lock();
  pending_.reset();
}

void BackgroundWriter::grow(std::unique_lock<std::mutex>& lock) {
  const std::size_t elements = reserved_;
  staging_ = std::vector<float>();  // before the larger one is taken
  lock.unlock();
  std::vector<float> larger;
  try {
    larger.resize(elements);
  } catch (const std::bad_alloc&) {
  }
  lock.lock();
  staging_ = std::move(larger);
  if (staging_.size() < elements) reserved_ = 0;
}

}  // namespace phalanx::checkpoint
