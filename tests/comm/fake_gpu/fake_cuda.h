#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

// As much of CUDA as the backend nccl uses, on the host: device memory is memory, a stream a
// thread. It keeps CUDA's rules about order and breaks none of them kindly.
struct CUstream_st {
  CUstream_st() : thread([this] { run(); }) {}
  ~CUstream_st();
  void put(std::function<void()> task);
  bool idle();

  std::atomic<bool> stopping{false};

 private:
  void run();
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;  // the first one is running
  std::thread thread;
};

struct CUevent_st {
  struct State {
    std::atomic<std::uint64_t> recorded{0}, reached{0};
  };
  std::shared_ptr<State> state = std::make_shared<State>();
};
