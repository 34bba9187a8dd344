#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "comm/group.h"
#include "kernels/expert_rows.h"
#include "parallel/flight.h"

namespace phalanx::parallel {

// Sends tokens to the ranks that hold their experts and brings the results back (Lepikhin et al.
// 2021, "GShard"), every token whatever the load (dropless: Gale et al. 2023, "MegaBlocks"). Rank r
// of R holds experts [r * experts / R, (r + 1) * experts / R).
//
// Tokens go in `chunks`: while the experts compute one chunk, the rows of the next and the results
// of the one before are on their way. Rows of an expert come in the order of chunk, rank,
// token: sums over them do not depend on timing. Without a group all experts are here, and nothing
// is copied or cut.
class ExpertDispatch {
 public:
  // `group`, null for one rank, has a size that divides `experts`. All members take part in every
  // exchange() and round_trip(), in as many `chunks`, with any number of tokens, none included.
  ExpertDispatch(std::shared_ptr<comm::Group> group, std::int64_t experts, std::int64_t chunks);

  bool moves() const { return group_ != nullptr; }
  std::int64_t first_expert() const { return rank_ * local_; }
  std::int64_t local_experts() const { return local_; }

  // Tells every rank what it will get. Rows, of each chunk those that leave for every expert and
  // those that arrive, by rank and expert of this rank: int64 [chunks, 2, ranks, local experts], in
  // the host's memory, for which it waits: what is dropless has the sizes of its loads. `chosen`
  // int64 [tokens, experts per token]. Throws CommError.
  at::Tensor exchange(const at::Tensor& chosen) const;

  // A run of tokens on its way.
  struct Chunk {
    std::int64_t first = 0, tokens = 0;
    kernels::ExpertOrder leaving;             // the rows that leave: by expert, so by rank
    std::vector<std::int64_t> sent, arrived;  // rows, to and from each rank
    std::vector<std::int64_t> rows;           // that arrive, of local experts
    kernels::ExpertOrder arriving;            // they, as choices of a local expert each
  };
  // From `chosen` and what exchange() gave for it; the same in forward and backward.
  std::vector<Chunk> plan(const at::Tensor& chosen, const at::Tensor& rows) const;

  // For each chunk: send() gives the rows that leave, in the order of chunk.leaving; compute() gets
  // those that have arrived, by expert as chunk.rows says, and returns as many; take() gets the
  // results back in the order of chunk.leaving. May be left out: `meanwhile` is called before the
  // first compute(), while the first rows are on their way, and `at_last` before the last take(),
  // while the last results are. Throws CommError.
  struct Passes {
    std::function<at::Tensor(std::size_t chunk)> send;
    std::function<at::Tensor(std::size_t chunk, const at::Tensor& rows)> compute;
    std::function<void(std::size_t chunk, const at::Tensor& rows)> take;
    std::function<void()> meanwhile = {};
    std::function<void()> at_last = {};
  };
  void round_trip(const std::vector<Chunk>& chunks, const Passes& passes) const;

 private:
  Flight depart(const at::Tensor& rows, const std::vector<std::int64_t>& to,
                const std::vector<std::int64_t>& from) const;
  at::Tensor by_expert(const Chunk& chunk, const at::Tensor& rows) const;
  at::Tensor by_rank(const Chunk& chunk, const at::Tensor& rows) const;

  std::shared_ptr<comm::Group> group_;
  std::int64_t ranks_, rank_, experts_, local_, chunks_;
};

}  // namespace phalanx::parallel
