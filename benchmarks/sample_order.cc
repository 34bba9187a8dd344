// Prints which sequences a job's first samples are, one number a line, so that a peer can read the
// same tokens in the same order: sample_order TOKENS SEQUENCE_LENGTH COUNT [--seed=1].
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>

#include "data/packing.h"
#include "data/sampler.h"
#include "data/token_file.h"

int main(int argc, char** argv) {
  CLI::App app("The sequences that the first samples of a job are.");
  std::string path;
  std::int64_t sequence_length = 0;
  std::uint64_t count = 0;
  std::uint64_t seed = 1;
  app.add_option("tokens", path, "token file")->required()->check(CLI::ExistingFile);
  app.add_option("sequence_length", sequence_length)->required()->check(CLI::PositiveNumber);
  app.add_option("count", count, "samples")->required();
  app.add_option("--seed", seed, "of the job");
  CLI11_PARSE(app, argc, argv);
  const phalanx::data::TokenFile file(path);
  const phalanx::data::Sampler sampler(seed,
                                       phalanx::data::require_sequences(file, sequence_length));
  for (const auto sequence : sampler.samples(0, count)) {
    std::printf("%ju\n", std::uintmax_t{sequence});
  }
}
