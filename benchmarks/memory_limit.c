// The physical limit of what moves bytes in a host, by several processes at once that share nothing:
// copy: memcpy of BYTES; sum: what one of PROCESSES ranks reads and writes in an all-reduce of BYTES
// of fp32 at the least: a piece of every rank's data is read, and its sum written to all of them.
// Usage: memory_limit copy|sum PROCESSES BYTES...
// Prints a line of JSON per size: median time of the slowest process.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kWarmUp = 3, kMostRepetitions = 2000 };

struct Shared {
  atomic_int arrived;
  double slowest[kMostRepetitions];
  double times[64][kMostRepetitions];
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static int repetitions(size_t bytes) {
  const size_t wanted = ((size_t)256 << 20) / bytes;
  return wanted < 9 ? 9 : wanted > kMostRepetitions ? kMostRepetitions : (int)wanted;
}

typedef float Vector __attribute__((vector_size(64)));

enum { kVectors = 64 };  // of a block that is summed in the nearest cache

// `pieces` lie behind one another in `data`.
static void sum_pieces(Vector* data, size_t pieces, size_t vectors) {
  Vector sums[kVectors];
  for (size_t begin = 0; begin < vectors; begin += kVectors) {
    const size_t count = vectors - begin < kVectors ? vectors - begin : kVectors;
    memcpy(sums, data + begin, count * sizeof(Vector));
    for (size_t piece = 1; piece + 1 < pieces; ++piece)
      for (size_t i = 0; i < count; ++i) sums[i] += data[piece * vectors + begin + i];
    Vector* const last = data + (pieces - 1) * vectors + begin;
    for (size_t i = 0; i < count; ++i) last[i] = sums[i] += last[i];
    for (size_t piece = 0; piece + 1 < pieces; ++piece)
      memcpy(data + piece * vectors + begin, sums, count * sizeof(Vector));
  }
}

typedef void Operation(char* to, char* from, int processes, size_t bytes);

static void copy(char* to, char* from, int processes, size_t bytes) {
  (void)processes;
  memcpy(to, from, bytes);
}

static void sum(char* to, char* from, int processes, size_t bytes) {
  (void)from;
  sum_pieces((Vector*)to, (size_t)processes, bytes / (size_t)processes / sizeof(Vector));
}

static void repeat(Operation* operation, struct Shared* shared, int process, int processes,
                   size_t bytes) {
  char *from = aligned_alloc(64, bytes), *to = aligned_alloc(64, bytes);
  memset(from, process, bytes);
  memset(to, 0, bytes);
  for (int i = -kWarmUp; i < repetitions(bytes); ++i) {
    atomic_fetch_add(&shared->arrived, 1);
    while (atomic_load(&shared->arrived) < (i + kWarmUp + 1) * processes) usleep(0);
    const double begin = now();
    operation(to, from, processes, bytes);
    __asm__ volatile("" : : "r"(to) : "memory");
    if (i >= 0) shared->times[process][i] = now() - begin;
  }
}

static double measure(Operation* operation, struct Shared* shared, int processes, size_t bytes) {
  atomic_store(&shared->arrived, 0);
  for (int process = 0; process < processes; ++process)
    if (fork() == 0) {
      repeat(operation, shared, process, processes, bytes);
      _exit(0);
    }
  while (wait(NULL) > 0) {
  }
  const int timed = repetitions(bytes);
  for (int i = 0; i < timed; ++i) {
    shared->slowest[i] = 0;
    for (int process = 0; process < processes; ++process)
      if (shared->times[process][i] > shared->slowest[i])
        shared->slowest[i] = shared->times[process][i];
  }
  qsort(shared->slowest, (size_t)timed, sizeof(double), ascending);
  return shared->slowest[timed / 2];
}

int main(int count, char** arguments) {
  struct Shared* shared =
      mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Operation* const operation = count < 3                        ? NULL
                               : !strcmp(arguments[1], "copy") ? copy
                               : !strcmp(arguments[1], "sum")  ? sum
                                                                : NULL;
  const int processes = operation ? atoi(arguments[2]) : 0;
  if (shared == MAP_FAILED || processes < 1 || processes > 64) {
    fprintf(stderr, "usage: memory_limit copy|sum PROCESSES BYTES...   (1 to 64 processes)\n");
    return 2;
  }
  for (int i = 3; i < count; ++i) {
    const size_t bytes = strtoull(arguments[i], NULL, 10);
    printf("{\"bytes\": %zu, \"median_us\": %.3f}\n", bytes,
           measure(operation, shared, processes, bytes) * 1e6);
  }
  return 0;
}
