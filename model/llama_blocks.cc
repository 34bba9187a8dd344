#include "model/llama_blocks.h"

#include "model/attention.h"
#include "model/embedding.h"
#include "model/feed_forward.h"
#include "model/head.h"

namespace phalanx::model {

std::vector<std::unique_ptr<parallel::Block>> llama_blocks(const config::Model& model,
                                                           const parallel::Parameters& parameters) {
  std::vector<std::unique_ptr<parallel::Block>> blocks;
  blocks.push_back(std::make_unique<Embedding>(parameters));
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i);
    blocks.push_back(std::make_unique<Attention>(model, layer, parameters));
    blocks.push_back(std::make_unique<FeedForward>(model, layer, parameters));
  }
  blocks.push_back(std::make_unique<Head>(model, parameters));
  return blocks;
}

}  // namespace phalanx::model
