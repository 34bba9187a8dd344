#include "model/llama_blocks.h"

#include "model/attention.h"
#include "model/embedding.h"
#include "model/feed_forward.h"
#include "model/head.h"
#include "model/moe_feed_forward.h"

namespace phalanx::model {
namespace {

std::unique_ptr<parallel::Block> feed_forward(const config::Model& model, const std::string& layer,
                                              const parallel::Parameters& parameters,
                                              const parallel::AxisGroups& groups) {
  if (model.experts > 0) return std::make_unique<MoeFeedForward>(model, layer, parameters, groups);
  return std::make_unique<FeedForward>(model, layer, parameters, groups);
}

}  // namespace

std::vector<std::unique_ptr<parallel::Block>> llama_blocks(const config::Model& model,
                                                           const layout::StageLayers& layers,
                                                           const parallel::Parameters& parameters,
                                                           const parallel::AxisGroups& groups) {
  std::vector<std::unique_ptr<parallel::Block>> blocks;
  if (layers.embedding) blocks.push_back(std::make_unique<Embedding>(model, parameters, groups));
  for (std::int64_t i = layers.first; i < layers.last; ++i) {
    const std::string layer = "layers." + std::to_string(i);
    blocks.push_back(std::make_unique<Attention>(model, layer, parameters, groups));
    blocks.push_back(feed_forward(model, layer, parameters, groups));
  }
  if (layers.head) blocks.push_back(std::make_unique<Head>(model, parameters, groups));
  return blocks;
}

}  // namespace phalanx::model
