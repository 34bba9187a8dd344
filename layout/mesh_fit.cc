#include "layout/mesh_fit.h"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include "layout/layout_error.h"
#include "layout/recompute.h"

namespace phalanx::layout {
namespace {

// The numbers from 1 to `most` nearest to `wish` for which `fits`, on both sides: "4 or 8".
// Empty when none fits.
std::string nearest(std::int64_t wish, std::int64_t most,
                    const std::function<bool(std::int64_t)>& fits) {
  std::optional<std::int64_t> below, above;
  for (auto i = std::min(wish, most); i >= 1 && !below; --i)
    if (fits(i)) below = i;
  for (auto i = wish + 1; i <= most && !above; ++i)
    if (fits(i)) above = i;
  if (below && above) return fmt::format("{} or {}", *below, *above);
  if (below || above) return fmt::format("{}", below ? *below : *above);
  return {};
}

std::function<bool(std::int64_t)> divides(std::int64_t number) {
  return [number](std::int64_t i) { return number % i == 0; };
}

struct NamedSize {
  const char* name;
  std::int64_t size;
};

// Lines of help, one for each axis above 1 that alone could be changed so that all divide `ranks`.
std::string changes_that_divide(std::int64_t ranks, const std::vector<NamedSize>& axes,
                                std::int64_t product) {
  std::string help;
  for (const auto& [name, size] : axes) {
    const auto others = product / size;
    if (size == 1 || ranks % others != 0) continue;
    help += fmt::format("parallel.{} of {} would fit {} ranks\n", name,
                        nearest(size, ranks / others, divides(ranks / others)), ranks);
  }
  const auto below = ranks / product * product;
  return help + (below == 0 ? fmt::format("these axes fit {} ranks", product)
                            : fmt::format("these axes fit {} or {} ranks", below, below + product));
}

void check_product(const config::Parallel& parallel, std::int64_t ranks) {
  std::vector<NamedSize> axes{
      {"tensor", parallel.tensor}, {"pipeline", parallel.pipeline}, {"context", parallel.context}};
  const auto model_ranks = parallel.tensor * parallel.pipeline * parallel.context;
  const auto named = fmt::format("parallel.tensor {} x pipeline {} x context {}", parallel.tensor,
                                 parallel.pipeline, parallel.context);
  if (parallel.data == 0) {
    if (ranks % model_ranks != 0)
      throw LayoutError(fmt::format("{}: expected a divisor of the job's {} ranks, found {}", named,
                                    ranks, model_ranks),
                        changes_that_divide(ranks, axes, model_ranks));
    return;
  }
  axes.push_back({"data", parallel.data});
  const auto product = model_ranks * parallel.data;
  if (product == ranks) return;
  throw LayoutError(
      fmt::format("{} x data {}: expected the job's {} ranks, found {}", named, parallel.data,
                  ranks, product),
      ranks % model_ranks == 0
          ? fmt::format("parallel.data of {} (or auto) would fit", ranks / model_ranks)
          : changes_that_divide(ranks, {axes.begin(), axes.end() - 1}, model_ranks));
}

void check_experts(const config::Model& model, std::int64_t expert) {
  if (expert == 1 || (model.experts > 0 && model.experts % expert == 0)) return;
  if (model.experts == 0)
    throw LayoutError(fmt::format("parallel.expert: expected 1 with the preset {}, which has no "
                                  "experts, found {}",
                                  model.preset, expert),
                      "leave the key out");
  throw LayoutError(
      fmt::format("parallel.expert: expected a divisor of model.experts = {}, found {}",
                  model.experts, expert),
      fmt::format("{} would fit", nearest(expert, model.experts, divides(model.experts))));
}

void check_tensor(const config::Model& model, std::int64_t tensor) {
  const auto heads_fit = [&](std::int64_t ranks) {
    return model.heads % ranks == 0 &&
           (model.kv_heads % ranks == 0 || ranks % model.kv_heads == 0) &&
           (model.experts > 0 || model.ffn_width % ranks == 0);
  };
  if (heads_fit(tensor)) return;
  // Experts are whole on every tensor rank, whatever their width.
  const auto channels =
      model.experts > 0 ? std::string() : fmt::format(" and model.ffn_width = {}", model.ffn_width);
  throw LayoutError(
      fmt::format("parallel.tensor: expected a number that divides model.heads = {}{}, and divides "
                  "or is a multiple of model.kv_heads = {}; found {}",
                  model.heads, channels, model.kv_heads, tensor),
      fmt::format("{} would fit", nearest(tensor, model.heads, heads_fit)));
}

// Tensor ranks share the tokens of a micro-batch evenly, whatever its number of sequences.
void check_tokens(const config::Model& model, const config::Parallel& parallel) {
  const auto length = model.sequence_length / parallel.context;
  if (length % parallel.tensor == 0) return;
  throw LayoutError(
      fmt::format("parallel.tensor: expected a divisor of the {} tokens of a sequence that each "
                  "context rank has (model.sequence_length {} / parallel.context {}), found {}",
                  length, model.sequence_length, parallel.context, parallel.tensor),
      fmt::format("{} would fit", nearest(parallel.tensor, length, divides(length))));
}

void check_context(const config::Model& model, std::int64_t context) {
  // Each rank holds an early and a late piece, so that causal attention is the same work for all.
  const auto pieces_fit = [&](std::int64_t ranks) {
    return ranks == 1 || model.sequence_length % (2 * ranks) == 0;
  };
  if (pieces_fit(context)) return;
  throw LayoutError(
      fmt::format("parallel.context: expected a number whose double divides "
                  "model.sequence_length = {}, found {}",
                  model.sequence_length, context),
      fmt::format("{} would fit; so would a model.sequence_length of {}",
                  nearest(context, model.sequence_length, pieces_fit),
                  nearest(model.sequence_length, model.sequence_length + 2 * context,
                          [&](std::int64_t length) { return length % (2 * context) == 0; })));
}

// Ulysses gives each context rank heads of its own, of those that a tensor rank has.
void check_context_heads(const config::Model& model, const config::Parallel& parallel) {
  if (parallel.context_attention != "ulysses") return;
  const auto heads = model.heads / parallel.tensor;
  const auto kv_heads = std::max<std::int64_t>(1, model.kv_heads / parallel.tensor);
  const auto heads_fit = [&](std::int64_t ranks) {
    return heads % ranks == 0 && (kv_heads % ranks == 0 || ranks % kv_heads == 0);
  };
  if (heads_fit(parallel.context)) return;
  throw LayoutError(
      fmt::format("parallel.context: with context_attention ulysses expected a number that divides "
                  "the {} heads of a tensor rank, and divides or is a multiple of its {} key-value "
                  "heads; found {}",
                  heads, kv_heads, parallel.context),
      fmt::format("{} would fit; any number does with context_attention ring",
                  nearest(parallel.context, heads, heads_fit)));
}

void check_stages(const config::Model& model, const config::Parallel& parallel) {
  // Embedding and head count as a layer each: either may be a stage of its own.
  const auto most = model.layers + 2;
  const auto stages = parallel.pipeline * parallel.virtual_stages;
  if (stages <= most) return;
  std::string help = fmt::format("parallel.pipeline of {}",
                                 std::max<std::int64_t>(1, most / parallel.virtual_stages));
  if (parallel.pipeline <= most && parallel.virtual_stages > 1)
    help += fmt::format(", or parallel.virtual_stages of {},", most / parallel.pipeline);
  throw LayoutError(
      fmt::format("parallel.pipeline {} x virtual_stages {}: expected at most {} "
                  "stages for model.layers = {} with embedding and head, found {}",
                  parallel.pipeline, parallel.virtual_stages, most, model.layers, stages),
      help + " would fit");
}

}  // namespace

MeshSizes fit_mesh(const config::Parallel& parallel, std::int64_t ranks) {
  check_product(parallel, ranks);
  const auto data = ranks / (parallel.tensor * parallel.pipeline * parallel.context);
  const auto replicas = data * parallel.context;
  if (replicas % parallel.expert != 0)
    throw LayoutError(fmt::format("parallel.expert: expected a divisor of data {} x context {}, "
                                  "over which experts are folded, found {}",
                                  data, parallel.context, parallel.expert),
                      fmt::format("parallel.expert of {} would fit",
                                  nearest(parallel.expert, replicas, divides(replicas))));
  return {static_cast<int>(parallel.pipeline), static_cast<int>(data),
          static_cast<int>(parallel.context), static_cast<int>(parallel.tensor),
          static_cast<int>(parallel.expert)};
}

void check_model_fits(const config::Model& model, const config::Parallel& parallel) {
  check_experts(model, parallel.expert);
  check_tensor(model, parallel.tensor);
  check_context(model, parallel.context);
  check_tokens(model, parallel);
  check_context_heads(model, parallel);
  check_stages(model, parallel);
  check_recompute(parallel);
}

}  // namespace phalanx::layout
