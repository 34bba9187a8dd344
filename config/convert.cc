#include "config/convert.h"

#include "config/job.pb.h"

namespace phalanx::config {
namespace {

Model to_struct(const schema::Model& from) {
  Model to;
  to.preset = from.preset();
  to.layers = from.layers();
  to.width = from.width();
  to.heads = from.heads();
  to.kv_heads = from.kv_heads();
  to.ffn_width = from.ffn_width();
  to.sequence_length = from.sequence_length();
  to.vocab_size = from.vocab_size();
  to.rope_theta = from.rope_theta();
  to.norm_epsilon = from.norm_epsilon();
  to.experts = from.experts();
  to.experts_per_token = from.experts_per_token();
  to.expert_width = from.expert_width();
  to.router = {from.router().weights(), from.router().balance_loss(),
               from.router().bias_balancing()};
  return to;
}

void to_schema(const Model& from, schema::Model& to) {
  to.set_preset(from.preset);
  to.set_layers(from.layers);
  to.set_width(from.width);
  to.set_heads(from.heads);
  to.set_kv_heads(from.kv_heads);
  to.set_ffn_width(from.ffn_width);
  to.set_sequence_length(from.sequence_length);
  to.set_vocab_size(from.vocab_size);
  to.set_rope_theta(from.rope_theta);
  to.set_norm_epsilon(from.norm_epsilon);
  to.set_experts(from.experts);
  to.set_experts_per_token(from.experts_per_token);
  to.set_expert_width(from.expert_width);
  to.mutable_router()->set_weights(from.router.weights);
  to.mutable_router()->set_balance_loss(from.router.balance_loss);
  to.mutable_router()->set_bias_balancing(from.router.bias_balancing);
}

Data to_struct(const schema::Data& from) {
  Data to;
  to.tokenizer = from.tokenizer();
  to.attention_mask = from.attention_mask();
  for (const auto& dataset : from.train()) to.train.push_back({dataset.path(), dataset.weight()});
  if (from.has_validation())
    to.validation = {from.validation().path(), from.validation().every(),
                     from.validation().batches()};
  return to;
}

void to_schema(const Data& from, schema::Data& to) {
  to.set_tokenizer(from.tokenizer);
  to.set_attention_mask(from.attention_mask);
  for (const auto& dataset : from.train) {
    auto& added = *to.add_train();
    added.set_path(dataset.path);
    added.set_weight(dataset.weight);
  }
  if (from.validation.path.empty()) return;
  to.mutable_validation()->set_path(from.validation.path);
  to.mutable_validation()->set_every(from.validation.every);
  to.mutable_validation()->set_batches(from.validation.batches);
}

Optimizer to_struct(const schema::Optimizer& from) {
  Optimizer to;
  to.name = from.name();
  to.lr = from.lr();
  to.beta1 = from.betas(0);
  to.beta2 = from.betas(1);
  to.epsilon = from.epsilon();
  to.weight_decay = from.weight_decay();
  to.clip_norm = from.clip_norm();
  return to;
}

void to_schema(const Optimizer& from, schema::Optimizer& to) {
  to.set_name(from.name);
  to.set_lr(from.lr);
  to.add_betas(from.beta1);
  to.add_betas(from.beta2);
  to.set_epsilon(from.epsilon);
  to.set_weight_decay(from.weight_decay);
  to.set_clip_norm(from.clip_norm);
}

Train to_struct(const schema::Train& from) {
  Train to;
  to.steps = from.steps();
  to.global_batch = from.global_batch();
  to.micro_batch = from.micro_batch();
  to.precision = from.precision();
  to.optimizer = to_struct(from.optimizer());
  to.lr_schedule = {from.lr_schedule().name(), from.lr_schedule().warmup(),
                    from.lr_schedule().min_lr()};
  return to;
}

void to_schema(const Train& from, schema::Train& to) {
  to.set_steps(from.steps);
  to.set_global_batch(from.global_batch);
  to.set_micro_batch(from.micro_batch);
  to.set_precision(from.precision);
  to_schema(from.optimizer, *to.mutable_optimizer());
  to.mutable_lr_schedule()->set_name(from.lr_schedule.name);
  to.mutable_lr_schedule()->set_warmup(from.lr_schedule.warmup);
  to.mutable_lr_schedule()->set_min_lr(from.lr_schedule.min_lr);
}

Parallel to_struct(const schema::Parallel& from) {
  Parallel to;
  to.data = from.data();
  to.tensor = from.tensor();
  to.pipeline = from.pipeline();
  to.context = from.context();
  to.expert = from.expert();
  to.zero_stage = from.zero_stage();
  to.zero_gather = from.zero_gather();
  to.schedule = from.schedule();
  to.virtual_stages = from.virtual_stages();
  to.recompute = {from.recompute().begin(), from.recompute().end()};
  to.gradient_wire = from.gradient_wire();
  to.context_attention = from.context_attention();
  to.expert_chunk_tokens = from.expert_chunk_tokens();
  return to;
}

void to_schema(const Parallel& from, schema::Parallel& to) {
  to.set_data(from.data);
  to.set_tensor(from.tensor);
  to.set_pipeline(from.pipeline);
  to.set_context(from.context);
  to.set_expert(from.expert);
  to.set_zero_stage(from.zero_stage);
  to.set_zero_gather(from.zero_gather);
  to.set_schedule(from.schedule);
  to.set_virtual_stages(from.virtual_stages);
  for (const auto& word : from.recompute) to.add_recompute(word);
  to.set_gradient_wire(from.gradient_wire);
  to.set_context_attention(from.context_attention);
  to.set_expert_chunk_tokens(from.expert_chunk_tokens);
}

Launch to_struct(const schema::Launch& from) {
  return {from.device(),         from.backend(),
          from.ranks_per_node(), from.threads_per_rank(),
          from.emulate_nodes(),  {from.emulate_link().bandwidth(), from.emulate_link().latency()}};
}

void to_schema(const Launch& from, schema::Launch& to) {
  to.set_device(from.device);
  to.set_backend(from.backend);
  to.set_ranks_per_node(from.ranks_per_node);
  to.set_threads_per_rank(from.threads_per_rank);
  to.set_emulate_nodes(from.emulate_nodes);
  if (from.emulate_link.bandwidth == 0) return;
  to.mutable_emulate_link()->set_bandwidth(from.emulate_link.bandwidth);
  to.mutable_emulate_link()->set_latency(from.emulate_link.latency);
}

}  // namespace

Job to_struct(const schema::Job& from) {
  Job to;
  to.name = from.name();
  to.seed = from.seed();
  to.model = to_struct(from.model());
  to.data = to_struct(from.data());
  to.train = to_struct(from.train());
  to.parallel = to_struct(from.parallel());
  to.checkpoint = {from.checkpoint().every(), from.checkpoint().keep()};
  to.recovery = {from.recovery().snapshot_every()};
  to.launch = to_struct(from.launch());
  to.output = from.output();
  return to;
}

schema::Job to_schema(const Job& from) {
  schema::Job to;
  to.set_name(from.name);
  to.set_seed(from.seed);
  to_schema(from.model, *to.mutable_model());
  to_schema(from.data, *to.mutable_data());
  to_schema(from.train, *to.mutable_train());
  to_schema(from.parallel, *to.mutable_parallel());
  to.mutable_checkpoint()->set_every(from.checkpoint.every);
  to.mutable_checkpoint()->set_keep(from.checkpoint.keep);
  to.mutable_recovery()->set_snapshot_every(from.recovery.snapshot_every);
  to_schema(from.launch, *to.mutable_launch());
  to.set_output(from.output);
  return to;
}

}  // namespace phalanx::config
