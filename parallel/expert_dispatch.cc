#include "parallel/expert_dispatch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "layout/expert_memory.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {
namespace {

std::vector<std::size_t> times(const std::vector<std::int64_t>& rows, std::int64_t width) {
  std::vector<std::size_t> elements;
  for (const auto count : rows) elements.push_back(static_cast<std::size_t>(count * width));
  return elements;
}

std::int64_t sum(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// The tokens of chunk `index` of `count`: equal but for one.
std::pair<std::int64_t, std::int64_t> bounds(std::int64_t tokens, std::int64_t index,
                                             std::int64_t count) {
  return {tokens * index / count, tokens * (index + 1) / count};
}

// The local expert of every row that arrives, by the rank it comes from: [rows, 1].
at::Tensor experts_of(const std::int64_t* rows, std::int64_t ranks, std::int64_t experts) {
  auto labels =
      at::empty({std::accumulate(rows, rows + ranks * experts, std::int64_t{0}), 1}, at::kLong);
  auto* label = labels.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < ranks * experts; ++i)
    label = std::fill_n(label, rows[i], i % experts);
  return labels;
}

}  // namespace

// Rows on their way between all ranks, with the memory that they leave and come to.
struct ExpertDispatch::Flight {
  at::Tensor from, to;
  comm::Work work;

  at::Tensor land() {
    work.wait();
    return to;
  }
};

ExpertDispatch::ExpertDispatch(std::shared_ptr<comm::Group> group, std::int64_t experts,
                               std::int64_t chunk_tokens)
    : group_(std::move(group)),
      ranks_(group_ ? group_->size() : 1),
      rank_(group_ ? group_->rank() : 0),
      experts_(experts),
      local_(experts / ranks_),
      chunk_tokens_(chunk_tokens) {
  check(experts % ranks_ == 0 && chunk_tokens > 0, "expert dispatch: the ranks divide the experts");
}

std::int64_t ExpertDispatch::chunk_count(std::int64_t tokens) const {
  std::int64_t chunks = layout::expert_chunks(tokens, chunk_tokens_);
  group_->all_reduce({&chunks, 1, comm::ElementType::kInt64}, comm::Reduction::kMax).wait();
  return chunks;
}

at::Tensor ExpertDispatch::exchange(const at::Tensor& chosen) const {
  if (!group_) {
    const auto rows = kernels::order_by_expert(chosen, experts_).rows;
    auto counts = at::empty({1, 1, experts_}, at::kLong);
    std::ranges::copy(rows, counts.mutable_data_ptr<std::int64_t>());
    return counts;
  }
  // By rank, then by chunk, as they are sent.
  const std::int64_t tokens = chosen.size(0), chunks = chunk_count(tokens);
  auto sent = at::empty({ranks_, chunks, local_}, at::kLong), arriving = at::empty_like(sent);
  for (std::int64_t c = 0; c < chunks; ++c) {
    const auto [begin, end] = bounds(tokens, c, chunks);
    const auto rows = kernels::order_by_expert(chosen.narrow(0, begin, end - begin), experts_).rows;
    for (std::int64_t e = 0; e < experts_; ++e)
      sent.mutable_data_ptr<std::int64_t>()[(e / local_ * chunks + c) * local_ + e % local_] =
          rows[static_cast<std::size_t>(e)];
  }
  const std::vector<std::size_t> each(static_cast<std::size_t>(ranks_),
                                      static_cast<std::size_t>(chunks * local_));
  group_->all_to_all(buffer_of(sent), each, buffer_of(arriving), each).wait();
  return arriving.transpose(0, 1).contiguous();
}

std::vector<ExpertDispatch::Chunk> ExpertDispatch::plan(const at::Tensor& chosen,
                                                        const at::Tensor& arriving) const {
  std::vector<Chunk> chunks(static_cast<std::size_t>(arriving.size(0)));
  for (std::int64_t c = 0; c < arriving.size(0); ++c) {
    auto& chunk = chunks[static_cast<std::size_t>(c)];
    const auto [begin, end] = bounds(chosen.size(0), c, arriving.size(0));
    chunk.first = begin;
    chunk.tokens = end - begin;
    chunk.leaving = kernels::order_by_expert(chosen.narrow(0, begin, chunk.tokens), experts_);
    const auto* rows = arriving.const_data_ptr<std::int64_t>() + c * ranks_ * local_;
    for (std::int64_t r = 0; r < ranks_; ++r) {
      const auto* leave = chunk.leaving.rows.data() + r * local_;
      chunk.sent.push_back(std::accumulate(leave, leave + local_, std::int64_t{0}));
      chunk.arrived.push_back(
          std::accumulate(rows + r * local_, rows + (r + 1) * local_, std::int64_t{0}));
    }
    if (group_)
      chunk.arriving = kernels::order_by_expert(experts_of(rows, ranks_, local_), local_);
    else
      chunk.arriving.rows = chunk.leaving.rows;
  }
  return chunks;
}

void ExpertDispatch::round_trip(const std::vector<Chunk>& chunks, const Passes& passes) const {
  const auto meanwhile = [&] {
    if (passes.meanwhile) passes.meanwhile();
  };
  if (!group_) {
    meanwhile();
    for (std::size_t c = 0; c < chunks.size(); ++c)
      passes.take(c, passes.compute(c, passes.send(c)));
    return;
  }
  const auto leave = [&](std::size_t c) {
    return depart(passes.send(c), chunks[c].sent, chunks[c].arrived);
  };
  Flight there = leave(0), back;
  meanwhile();
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    Flight arriving = std::exchange(there, {});
    if (c + 1 < chunks.size()) there = leave(c + 1);
    const auto results =
        by_rank(chunks[c], passes.compute(c, by_expert(chunks[c], arriving.land())));
    if (c > 0) passes.take(c - 1, back.land());
    back = depart(results, chunks[c].arrived, chunks[c].sent);
  }
  passes.take(chunks.size() - 1, back.land());
}

ExpertDispatch::Flight ExpertDispatch::depart(const at::Tensor& rows,
                                              const std::vector<std::int64_t>& to,
                                              const std::vector<std::int64_t>& from) const {
  const std::int64_t width = rows.size(1);
  Flight flight{rows, at::empty({sum(from), width}, rows.options()), {}};
  flight.work = group_->all_to_all(buffer_of(flight.from), times(to, width), buffer_of(flight.to),
                                   times(from, width));
  return flight;
}

// From the order of the ranks to that of the experts, and back; one expert's are the same.
at::Tensor ExpertDispatch::by_expert(const Chunk& chunk, const at::Tensor& rows) const {
  return local_ == 1 ? rows : kernels::rows_of_tokens(rows, chunk.arriving);
}

at::Tensor ExpertDispatch::by_rank(const Chunk& chunk, const at::Tensor& rows) const {
  return local_ == 1 ? rows : kernels::choices_of_rows(rows, chunk.arriving);
}

}  // namespace phalanx::parallel
