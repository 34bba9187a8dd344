#pragma once

#include "config/job.h"

namespace phalanx::layout {

// Llama 3 8B, as published.
inline config::Model llama_8b() {
  config::Model model;
  model.layers = 32;
  model.width = 4096;
  model.heads = 32;
  model.kv_heads = 8;
  model.ffn_width = 14336;
  model.sequence_length = 8192;
  model.vocab_size = 128256;
  return model;
}

}  // namespace phalanx::layout
