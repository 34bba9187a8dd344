#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "layout/schedule.h"

namespace phalanx::layout {

// The schedules, each one file of layout/schedules/.
enum class ScheduleKind : std::uint8_t {
  kGPipe,
  kOneFOneB,
  kEager1F1B,
  kInterleaved,
  kZbH1,
  kZbH2,
  kZbV,
  kDualPipeV,
  kNoPipeline,  // of a single rank
};
// As a job names it, "1f1b"; no pipeline goes without saying.
const char* job_name(ScheduleKind kind);
// The other way round. Throws LayoutError with the nearest name.
ScheduleKind schedule_kind(std::string_view job_name);

struct PipelineShape {
  int ranks = 1;
  int chunks = 1;  // of each rank: virtual stages
  int micro_batches = 1;
};

// The forward and backward passes of every rank; nothing else yet. Any number of ranks and
// micro-batches: where a schedule is defined for multiples, it is built for the next one and the
// micro-batches too many are left out, which keeps every order. Throws LayoutError, with the
// nearest that works, for a number of chunks that the schedule does not have.
Schedule build_schedule(ScheduleKind kind, const PipelineShape& shape);

// The forward passes alone, as validation runs them: all micro-batches chunk by chunk.
Schedule build_forward_schedule(Placement placement, const PipelineShape& shape);
Placement placement(ScheduleKind kind);

// One rank's passes, without regard to what shape.micro_batches is a multiple of.
namespace schedules {

// All forwards, then all backwards (Huang et al. 2018, "GPipe"); with several chunks, chunk by
// chunk (Lamy-Poirier 2022, "Breadth-First Pipeline Parallelism").
std::vector<Operation> gpipe(const PipelineShape& shape);

// Micro-batch by micro-batch, each forward through all chunks and back: the order of a single rank.
std::vector<Operation> no_pipeline(const PipelineShape& shape);

// As many forwards as keep the stages behind busy, then one forward and one backward in turn
// (Narayanan et al. 2019, "PipeDream"; with a flush 2020). `warm_up` times as many forwards as that
// needs leave a message the time of a pass each way before anybody waits for it. 1F1B: warm_up 1,
// eager 1F1B (Zhuang et al. 2022, "On Optimizing the Communication of Model Parallelism"): 2.
std::vector<Operation> one_f_one_b(const PipelineShape& shape, int rank, int warm_up);

// 1F1B over several chunks a rank (Narayanan et al. 2021, "Efficient Large-Scale Language Model
// Training on GPU Clusters Using Megatron-LM", section 2.2): micro-batches in groups of `ranks`,
// each group chunk by chunk.
std::vector<Operation> interleaved(const PipelineShape& shape, int rank);

// 1F1B with split backward passes (Qi et al. 2023, "Zero Bubble Pipeline Parallelism", section 2):
// each rank begins with `warm_up` times as many forwards as 1F1B does, and puts off weight
// gradients until it holds as many micro-batches as rank 0. ZB-H1: warm_up 1, ZB-H2: warm_up 2.
std::vector<Operation> zero_bubble(const PipelineShape& shape, int rank, int warm_up);

// Two chunks in a V, so that the rank that ends a forward begins its backward (Qi et al. 2023,
// section 6; 2024, "Pipeline Parallelism with Controllable Memory").
std::vector<Operation> zb_v(const PipelineShape& shape, int rank);

// DualPipe (DeepSeek-AI 2024, "DeepSeek-V3 Technical Report", section 3.2.1) cut in half along its
// symmetry (Qi et al. 2025): two chunks in a V; in the steady state each forward stands beside a
// backward of the other chunk, so that one computes while the other communicates.
std::vector<Operation> dualpipe_v(const PipelineShape& shape, int rank);

}  // namespace schedules
}  // namespace phalanx::layout
