#include "fake_gpu/fake_cuda.h"

#include <cstdlib>
#include <cstring>

CUstream_st::~CUstream_st() {
  stopping = true;
  changed.notify_all();
  thread.join();
}

void CUstream_st::put(std::function<void()> task) {
  const std::lock_guard lock(mutex);
  tasks.push_back(std::move(task));
  changed.notify_all();
}

bool CUstream_st::idle() {
  const std::lock_guard lock(mutex);
  return tasks.empty();
}

void CUstream_st::run() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return stopping || !tasks.empty(); });
    if (stopping) return;
    lock.unlock();
    tasks.front()();
    lock.lock();
    tasks.pop_front();
  }
}

namespace {

// What is put on the default stream is done at once.
void put(cudaStream_t stream, std::function<void()> task) {
  if (stream == nullptr || stream == cudaStreamLegacy) return task();
  stream->put(std::move(task));
}

constexpr int kDevices = 2;  // of the host: more ranks share them
thread_local int current_device = 0;

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) { return *count = kDevices, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = current_device, cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return cudaErrorInvalidDevice;
  return current_device = device, cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t) { return "an error of the fake device"; }

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = bytes > (size_t{1} << 36) ? nullptr : std::malloc(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaMallocHost(void** memory, size_t bytes) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return std::free(memory), cudaSuccess; }
cudaError_t cudaFree(void* memory) { return std::free(memory), cudaSuccess; }
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  return std::memset(to, value, bytes), cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  return std::memcpy(to, from, bytes), cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return *least = *greatest = 0, cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  return *stream = new CUstream_st, cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return stream->idle() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  while (stream != nullptr && !stream->idle()) std::this_thread::yield();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  put(stream, [state = event->state, point = event->state->recorded.load(), stream] {
    while (state->reached < point && !(stream != nullptr && stream->stopping))
      std::this_thread::yield();
  });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return *event = new CUevent_st, cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  put(stream, [state = event->state, point = ++event->state->recorded] { state->reached = point; });
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return event->state->reached >= event->state->recorded ? cudaSuccess : cudaErrorNotReady;
}
}
