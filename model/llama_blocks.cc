#include "model/llama_blocks.h"

#include "model/attention.h"
#include "model/embedding.h"
#include "model/feed_forward.h"
#include "model/head.h"
#include "model/moe_feed_forward.h"

namespace phalanx::model {
namespace {

std::unique_ptr<parallel::Block> feed_forward(const config::Model& model, const std::string& layer,
                                              const parallel::Parameters& parameters) {
  if (model.experts > 0) return std::make_unique<MoeFeedForward>(model, layer, parameters);
  return std::make_unique<FeedForward>(model, layer, parameters);
}

}  // namespace

std::vector<std::unique_ptr<parallel::Block>> llama_blocks(const config::Model& model,
                                                           const parallel::Parameters& parameters) {
  std::vector<std::unique_ptr<parallel::Block>> blocks;
  blocks.push_back(std::make_unique<Embedding>(parameters));
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i);
    blocks.push_back(std::make_unique<Attention>(model, layer, parameters));
    blocks.push_back(feed_forward(model, layer, parameters));
  }
  blocks.push_back(std::make_unique<Head>(model, parameters));
  return blocks;
}

}  // namespace phalanx::model
