#include "parallel/expert_dispatch.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "parallel/tensor_buffer.h"
#include "parallel/to_device.h"

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

// The sums of `runs` runs of `length` numbers.
std::vector<std::int64_t> sums_of_runs(const std::int64_t* counts, std::int64_t runs,
                                       std::int64_t length) {
  std::vector<std::int64_t> sums;
  for (std::int64_t r = 0; r < runs; ++r)
    sums.push_back(
        std::accumulate(counts + r * length, counts + (r + 1) * length, std::int64_t{0}));
  return sums;
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

ExpertDispatch::ExpertDispatch(std::shared_ptr<comm::Group> group, std::int64_t experts,
                               std::int64_t chunks)
    : group_(std::move(group)),
      ranks_(group_ ? group_->size() : 1),
      rank_(group_ ? group_->rank() : 0),
      experts_(experts),
      local_(experts / ranks_),
      chunks_(group_ ? chunks : 1) {
  check(experts % ranks_ == 0 && chunks > 0, "expert dispatch: the ranks divide the experts");
}

at::Tensor ExpertDispatch::exchange(const at::Tensor& chosen) const {
  const std::int64_t tokens = chosen.size(0);
  // Leaving and arriving, by rank, then by chunk, as they are sent.
  auto rows = at::empty({2, ranks_, chunks_, local_}, chosen.options());
  for (std::int64_t c = 0; c < chunks_; ++c) {
    const auto [begin, end] = bounds(tokens, c, chunks_);
    const auto order = kernels::order_by_expert(chosen.narrow(0, begin, end - begin), experts_);
    rows[0].select(1, c).copy_(order.rows_of_expert.view({ranks_, local_}));
  }
  if (group_) {
    const std::vector<std::size_t> each(static_cast<std::size_t>(ranks_),
                                        static_cast<std::size_t>(chunks_ * local_));
    group_->all_to_all(buffer_of(rows[0]), each, buffer_of(rows[1]), each).wait();
  } else {
    rows[1].copy_(rows[0]);
  }
  return rows.permute({2, 0, 1, 3}).contiguous().cpu();
}

std::vector<ExpertDispatch::Chunk> ExpertDispatch::plan(const at::Tensor& chosen,
                                                        const at::Tensor& rows) const {
  std::vector<Chunk> chunks(static_cast<std::size_t>(rows.size(0)));
  for (std::int64_t c = 0; c < rows.size(0); ++c) {
    auto& chunk = chunks[static_cast<std::size_t>(c)];
    const auto [begin, end] = bounds(chosen.size(0), c, rows.size(0));
    chunk.first = begin;
    chunk.tokens = end - begin;
    chunk.leaving = kernels::order_by_expert(chosen.narrow(0, begin, chunk.tokens), experts_);
    const auto* leave = rows.const_data_ptr<std::int64_t>() + 2 * c * experts_;
    const auto* arrive = leave + experts_;
    chunk.sent = sums_of_runs(leave, ranks_, local_);
    chunk.arrived = sums_of_runs(arrive, ranks_, local_);
    chunk.rows.resize(static_cast<std::size_t>(local_));
    for (std::int64_t i = 0; i < experts_; ++i)
      chunk.rows[static_cast<std::size_t>(i % local_)] += arrive[i];
    if (group_ && local_ > 1)
      chunk.arriving = kernels::order_by_expert(
          to_device(experts_of(arrive, ranks_, local_), chosen.device()), local_);
  }
  return chunks;
}

void ExpertDispatch::round_trip(const std::vector<Chunk>& chunks, const Passes& passes) const {
  const auto meanwhile = [&] {
    if (passes.meanwhile) passes.meanwhile();
  };
  const auto at_last = [&] {
    if (passes.at_last) passes.at_last();
  };
  if (!group_) {
    meanwhile();
    for (std::size_t c = 0; c < chunks.size(); ++c)
      passes.take(c, passes.compute(c, passes.send(c)));
    at_last();
    return;
  }
  there_and_back(
      chunks.size(),
      [&](std::size_t c) { return depart(passes.send(c), chunks[c].sent, chunks[c].arrived); },
      meanwhile,
      [&](std::size_t c, Flight arriving) {
        return by_rank(chunks[c], passes.compute(c, by_expert(chunks[c], arriving.land())));
      },
      [&](std::size_t c, const at::Tensor& results) {
        return depart(results, chunks[c].arrived, chunks[c].sent);
      },
      [&](std::size_t c, Flight results) { passes.take(c, results.land()); }, at_last);
}

Flight ExpertDispatch::depart(const at::Tensor& rows, const std::vector<std::int64_t>& to,
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
