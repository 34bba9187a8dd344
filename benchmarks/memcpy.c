// The physical limit of what moves bytes in a host: memcpy by several processes at once.
// Usage: memcpy PROCESSES BYTES...     a line of JSON per size: median time of the slowest process
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

static void copy(struct Shared* shared, int process, int processes, size_t bytes) {
  char *from = malloc(bytes), *to = malloc(bytes);
  memset(from, process, bytes);
  memset(to, 0, bytes);
  for (int i = -kWarmUp; i < repetitions(bytes); ++i) {
    atomic_fetch_add(&shared->arrived, 1);
    while (atomic_load(&shared->arrived) < (i + kWarmUp + 1) * processes) usleep(0);
    const double begin = now();
    memcpy(to, from, bytes);
    __asm__ volatile("" : : "r"(to) : "memory");
    if (i >= 0) shared->times[process][i] = now() - begin;
  }
}

static double measure(struct Shared* shared, int processes, size_t bytes) {
  atomic_store(&shared->arrived, 0);
  for (int process = 0; process < processes; ++process)
    if (fork() == 0) {
      copy(shared, process, processes, bytes);
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
  const int processes = count > 1 ? atoi(arguments[1]) : 0;
  if (shared == MAP_FAILED || processes < 1 || processes > 64) {
    fprintf(stderr, "usage: memcpy PROCESSES BYTES...   (1 to 64 processes)\n");
    return 2;
  }
  for (int i = 2; i < count; ++i) {
    const size_t bytes = strtoull(arguments[i], NULL, 10);
    printf("{\"bytes\": %zu, \"median_us\": %.3f}\n", bytes,
           measure(shared, processes, bytes) * 1e6);
  }
  return 0;
}
