#include "tests/runtime/small_job.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/token_file_writer.h"
#include "layout/registered_memory.h"
#include "tests/parallel/ranks_as_threads.h"
#include "tests/pretend_device/communicator.h"

namespace phalanx::runtime {
namespace {

// Documents of 2 to 41 tokens, so that a sequence has parts of several or of one. Every second
// token is one of four, for something to learn; the others go through all bytes, so that tensor
// ranks have gradients of whichever rows of the vocabulary are theirs.
void write_documents(const std::filesystem::path& path) {
  const auto tokenizer = data::make_tokenizer("bytes");
  data::TokenFileWriter writer(path, *tokenizer);
  data::Token next = 0;
  for (unsigned document = 0; document < 500; ++document) {
    std::vector<data::Token> tokens;
    for (unsigned i = 0; i <= document * 7 % 40; ++i)
      tokens.push_back(i % 2 == 0 ? next = (next * 5 + 3) % 256 : 32 + 64 * (document % 4));
    writer.append(tokens);
    writer.end_document();
  }
  writer.seal();
  writer.publish();
}

}  // namespace

double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  EXPECT_EQ(found.size(), expected.size());
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

SmallJob::SmallJob() {
  folder_ = std::filesystem::temp_directory_path() / ("small_job." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder_);
  write_documents(folder_ / "train.tokens");
  job_.seed = 3;
  job_.model = {"llama", 4, 32, 4, 2, 48, 24, 257};
  job_.data.train = {{(folder_ / "train.tokens").string(), 1.0}};
  job_.data.validation = {(folder_ / "train.tokens").string(), 0, 1};
  job_.train.steps = 4;
  job_.train.global_batch = 7;
  job_.train.micro_batch = 2;
  job_.train.optimizer = {"adamw", 1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0};
}

SmallJob::~SmallJob() { std::filesystem::remove_all(folder_); }

config::Job SmallJob::alone() const {
  auto job = job_;
  job.parallel = {};
  job.launch.ranks_per_node = job.launch.emulate_nodes = 1;
  return job;
}

void SmallJob::on_ranks(const std::function<void(Rank&)>& body) {
  std::vector<int> nodes;
  for (int rank = 0; rank < job_.ranks(); ++rank)
    nodes.push_back(rank / static_cast<int>(job_.launch.ranks_per_node));
  on_communicators(
      nodes, layout::registered_bytes(job_), [&](int rank, comm::Communicator& of_the_host) {
        const auto on_device = device_.is_cpu() ? nullptr : pretend::on_pretend_device(of_the_host);
        const TrainingData data(job_);
        ModelState state(job_, rank, device_);
        state.initialize();
        auto groups = make_mesh_groups(on_device ? *on_device : of_the_host, state);
        if (interference_.groups) interference_.groups(rank, groups);
        protocol::BlackBox black_box{};
        PhaseClock phases(black_box);
        auto job = job_;
        if (interference_.job) interference_.job(rank, job);
        Stepper stepper(job, state, data, groups, phases);
        Rank self{rank, state, groups, data, stepper};
        body(self);
        groups.world->barrier().wait();
      });
}

void SmallJob::add_first_gradients(Rank& self, WholeTensors& whole) {
  auto batches = self.stepper.next_batches();
  if (interference_.batches) interference_.batches(self, batches);
  self.stepper.accumulate_gradients(batches);
  const std::lock_guard lock(mutex_);
  add_owned_gradients(self.state, self.stepper.gradients(), whole);
}

Curve SmallJob::curve_on(Rank& self) {
  Curve curve;
  for (int step = 0; step < job_.train.steps; ++step) {
    if (interference_.step) interference_.step(self, step);
    const auto outcome = self.stepper.run({});
    curve.losses.push_back(outcome.loss);
    curve.norms.push_back(outcome.grad_norm);
  }
  curve.validation = self.stepper.validate();
  return curve;
}

WholeTensors SmallJob::first_gradients() {
  WholeTensors whole;
  on_ranks([&](Rank& self) { add_first_gradients(self, whole); });
  return whole;
}

Curve SmallJob::curve() {
  Curve curve;
  on_ranks([&](Rank& self) {
    auto own = curve_on(self);
    if (self.rank == 0) curve = std::move(own);
  });
  return curve;
}

Outcome SmallJob::outcome() {
  Outcome outcome;
  on_ranks([&](Rank& self) {
    add_first_gradients(self, outcome.gradients);
    auto own = curve_on(self);
    if (self.rank == 0) outcome.curve = std::move(own);
  });
  return outcome;
}

WholeTensors SmallJob::first_gradients_of(const config::Job& job) {
  const auto before = std::exchange(job_, job);
  auto whole = first_gradients();
  job_ = before;
  return whole;
}

Curve SmallJob::curve_of(const config::Job& job) {
  const auto before = std::exchange(job_, job);
  auto curve = this->curve();
  job_ = before;
  return curve;
}

Outcome SmallJob::outcome_of(const config::Job& job) {
  const auto before = std::exchange(job_, job);
  auto outcome = this->outcome();
  job_ = before;
  return outcome;
}

}  // namespace phalanx::runtime
