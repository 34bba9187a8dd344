// MPI_Allreduce of floats: a line of JSON per size, times of the slowest rank per repetition.
// Usage: all_reduce_mpi BYTES...     under mpirun
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { kWarmUp = 3 };

static int ascending(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static int repetitions(size_t bytes) {
  const size_t wanted = ((size_t)256 << 20) / bytes;
  return wanted < 9 ? 9 : wanted > 2000 ? 2000 : (int)wanted;
}

// In place, as the other contenders do it. Returns the median in seconds on rank 0.
static double measure(size_t bytes) {
  const int timed = repetitions(bytes);
  float* data = calloc(bytes, 1);
  double* times = calloc((size_t)timed, sizeof(double));
  double* slowest = calloc((size_t)timed, sizeof(double));
  for (int i = -kWarmUp; i < timed; ++i) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double begin = MPI_Wtime();
    MPI_Allreduce(MPI_IN_PLACE, data, (int)(bytes / sizeof(float)), MPI_FLOAT, MPI_SUM,
                  MPI_COMM_WORLD);
    if (i >= 0) times[i] = MPI_Wtime() - begin;
  }
  MPI_Reduce(times, slowest, timed, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  qsort(slowest, (size_t)timed, sizeof(double), ascending);
  const double median = slowest[timed / 2];
  free(data), free(times), free(slowest);
  return median;
}

int main(int count, char** arguments) {
  int rank = 0;
  MPI_Init(&count, &arguments);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  for (int i = 1; i < count; ++i) {
    const size_t bytes = strtoull(arguments[i], NULL, 10);
    const double median = measure(bytes);
    if (rank == 0) printf("{\"bytes\": %zu, \"median_us\": %.3f}\n", bytes, median * 1e6);
  }
  MPI_Finalize();
  return 0;
}
