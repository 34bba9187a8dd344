#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "tests/runtime/parity.h"

namespace phalanx::runtime {
namespace {

// What a rank computes of some micro-batches.
struct Computed {
  NumberedMicroBatches batches;
  double loss = 0;  // summed over the tokens
  WholeTensors gradients;
};

// The tokens from `begin` to `end` of a sequence of the batch, as a micro-batch of their own.
parallel::MicroBatch apart(const parallel::MicroBatch& batch, std::int64_t sequence,
                           std::int64_t begin, std::int64_t end) {
  const auto cut = [&](const at::Tensor& tokens) {
    return tokens.slice(0, sequence, sequence + 1).slice(1, begin, end).contiguous();
  };
  return {cut(batch.inputs), cut(batch.targets)};
}

// Every document, or part of one, of every sequence.
NumberedMicroBatches documents_of(const NumberedMicroBatches& batches) {
  NumberedMicroBatches alone;
  for (std::size_t i = 0; i < batches.tensors.size(); ++i) {
    const auto& batch = batches.tensors[i];
    for (std::int64_t s = 0; s < batch.inputs.size(0); ++s) {
      const auto* first = batch.first_visible[s].const_data_ptr<std::int64_t>();
      const auto length = batch.inputs.size(1);
      for (std::int64_t begin = 0, end; begin < length; begin = end) {
        for (end = begin + 1; end < length && first[end] == begin;) ++end;
        alone.tensors.push_back(apart(batch, s, begin, end));
        alone.sequences.push_back({batches.sequences[i][static_cast<std::size_t>(s)]});
      }
    }
  }
  return alone;
}

class DocumentMask : public SmallJob, public testing::WithParamInterface<const char*> {
 protected:
  DocumentMask() {
    job_.train.precision = "fp64";
    job_.model.preset = GetParam();
    if (job_.model.preset != "mixtral") return;
    job_.model.experts = 4;
    job_.model.experts_per_token = 2;
    job_.model.router.balance_loss = 0;  // of whole sequences
  }
  // Of the job's first step, or of `batches` where there are some.
  Computed computed(const std::string& mask, NumberedMicroBatches batches = {}) {
    Computed result;
    job_.data.attention_mask = mask;
    on_ranks([&](Rank& self) {
      result.batches = batches.tensors.empty() ? self.stepper.next_batches() : batches;
      result.loss = self.stepper.accumulate_gradients(result.batches).item<double>();
      add_owned_gradients(self.state, self.stepper.gradients(), result.gradients);
    });
    return result;
  }
};

// Positions count within the sequence, but turned queries and keys know their distance alone.
TEST_P(DocumentMask, LetsDocumentsOfASequenceComputeWhatTheyComputeAlone) {
  const auto packed = computed("document");
  const auto documents = documents_of(packed.batches);
  ASSERT_GT(std::ssize(documents.tensors), 2 * job_.train.global_batch);
  const auto alone = computed("causal", documents);
  EXPECT_NEAR(packed.loss / alone.loss, 1, kTolerance);
  for (const auto& [name, gradient] : alone.gradients)
    EXPECT_LE(relative_error(packed.gradients.at(name), gradient), kTolerance) << name;
  EXPECT_GT(std::abs(computed("causal").loss / packed.loss - 1), 1e-6) << "and not otherwise";
}

INSTANTIATE_TEST_SUITE_P(Presets, DocumentMask, testing::Values("llama", "mixtral"));

}  // namespace
}  // namespace phalanx::runtime
