#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/simulated_cluster.h"

namespace phalanx::simulation {

using protocol::FromWorker;

void SimulatedCluster::join(int number, const protocol::Roster& roster) {
  Generation& generation = generations_[roster.generation()];
  if (generation.pids.empty()) {
    generation.pids.resize(static_cast<std::size_t>(options_.nodes * options_.slots));
    generation.step = roster.step();
    generation.checkpoint = roster.checkpoint();
  }
  for (int slot = 0; slot < options_.slots; ++slot) {
    const int rank = number * options_.slots + slot;
    Worker& member = worker(rank);
    if (!member.alive) {
      generation.broken = true;
      continue;
    }
    if (options_.needs_new_processes && member.generation != 0)
      controller_->violate(fmt::format("rank {} is in its second generation", rank));
    generation.pids[static_cast<std::size_t>(rank)] = member.pid;
    member.generation = roster.generation();
    if (member.held != roster.step()) member.held = -1;  // being overwritten from here on
    after(0.01, 0.3, rank, [this, rank, generation = roster.generation()](Worker& joining) {
      if (joining.generation == generation) joined(rank);
    });
  }
  if (generation.broken) break_generation(roster.generation(), control::kNobody);
}

void SimulatedCluster::joined(int rank) {
  Worker& member = worker(rank);
  Generation& generation = generations_.at(member.generation);
  if (generation.broken) return;
  if (finds_damage(rank, generation)) {
    FromWorker said;
    said.mutable_checkpoint_damaged()->set_generation(member.generation);
    said.mutable_checkpoint_damaged()->mutable_checkpoint()->set_directory(generation.checkpoint);
    say(rank, std::move(said));
    return leave(rank, member.generation);
  }
  member.held = generation.step;
  if (++generation.joined < options_.nodes * options_.slots) return;
  FromWorker said;
  said.mutable_restored()->set_generation(member.generation);
  if (worker(0).alive && !worker(0).hung) say(0, std::move(said));
  if (generation.step < options_.steps) return schedule_commit(member.generation);
  const std::uint64_t number = member.generation;
  for (int each = 0; each < options_.nodes * options_.slots; ++each)
    save(each, number, generation.step);
  generation.last = true;
}

// Each rank reads its own part: one meets the damage for certain.
bool SimulatedCluster::finds_damage(int rank, const Generation& generation) {
  if (generation.checkpoint.empty() || !controller_->is_damaged(generation.step)) return false;
  return rank == generation.step % (options_.nodes * options_.slots) || time_.chance(0.5);
}

void SimulatedCluster::schedule_commit(std::uint64_t generation) {
  time_.after(time_.uniform(0.05, 0.3), [this, generation] { commit(generation); });
}

// The reduction after which the step counts: all members took part.
void SimulatedCluster::commit(std::uint64_t number) {
  Generation& generation = generations_.at(number);
  for (std::size_t rank = 0; rank < generation.pids.size(); ++rank)
    if (alive(static_cast<int>(rank), generation.pids[rank]) == nullptr) generation.broken = true;
  if (generation.broken) return;
  ++generation.step;
  generation.applied = 0;
  generation.last = generation.step == options_.steps;
  for (int rank = 0; rank < options_.nodes * options_.slots; ++rank) {
    generation.last = generation.last || worker(rank).stop;
    worker(rank).passed = generation.step;
    after(0.001, 0.1, rank, [this, rank, number](Worker&) { apply(rank, number); });
  }
}

void SimulatedCluster::apply(int rank, std::uint64_t number) {
  Worker& member = worker(rank);
  if (member.generation != number || member.passed < 0) return;
  Generation& generation = generations_.at(number);
  member.held = member.passed;
  member.passed = -1;
  if (rank == 0) {
    FromWorker said;
    said.mutable_step()->set_generation(number);
    said.mutable_step()->set_step(member.held);
    said.mutable_step()->set_seconds(0.1);
    say(0, std::move(said));
  }
  if (generation.last || member.held % options_.checkpoint_every == 0)
    save(rank, number, member.held);
  const bool all = ++generation.applied == options_.nodes * options_.slots;
  if (all && !generation.last) schedule_commit(number);
}

// Written in the background: also when the generation is over.
void SimulatedCluster::save(int rank, std::uint64_t number, std::int64_t step) {
  const bool fails = time_.chance(options_.disk_fails);
  after(0.02, 0.8, rank, [this, rank, number, step, fails](Worker& saving) {
    FromWorker said;
    if (fails) {
      said.mutable_save_failed()->set_generation(number);
      said.mutable_save_failed()->set_step(step);
    } else {
      said.mutable_shard_saved()->set_generation(number);
      said.mutable_shard_saved()->set_step(step);
      said.mutable_shard_saved()->set_shard(fmt::format("{}", step));
    }
    say(rank, std::move(said));
    if (saving.generation == number && generations_.at(number).last &&
        generations_.at(number).step == step)
      finish(rank, number, step);
  });
}

void SimulatedCluster::finish(int rank, std::uint64_t number, std::int64_t step) {
  FromWorker said;
  said.mutable_finished()->set_generation(number);
  said.mutable_finished()->set_step(step);
  say(rank, std::move(said));
}

// Some members notice that one is gone before anybody tells them.
void SimulatedCluster::break_generation(std::uint64_t number, int culprit) {
  if (number == 0) return;
  Generation& generation = generations_.at(number);
  if (culprit != control::kNobody && std::exchange(generation.broken, true)) return;
  for (int rank = 0; rank < options_.nodes * options_.slots; ++rank) {
    if (rank == culprit || worker(rank).generation != number || !time_.chance(0.5)) continue;
    after(0.05, 1.5, rank, [this, rank, number, culprit](Worker& member) {
      if (member.generation != number || member.slow) return;
      FromWorker said;
      said.mutable_fault()->set_generation(number);
      said.mutable_fault()->set_kind(culprit == control::kNobody ? "aborted" : "peer died");
      said.mutable_fault()->set_peer(culprit);
      say(rank, std::move(said));
      leave(rank, number);
    });
  }
}

void SimulatedCluster::leave(int rank, std::uint64_t number) {
  Worker& member = worker(rank);
  if (member.generation != number || member.slow) return;
  if (member.passed >= 0 && time_.chance(0.5)) member.held = member.passed;
  member.passed = -1;
  member.generation = 0;
  generations_.at(number).broken = true;
  FromWorker said;
  protocol::Candidate& candidate = *said.mutable_candidate();
  candidate.set_left_generation(number);
  candidate.set_held_step(member.held);
  if (member.held > 0) {
    candidate.mutable_last_step()->set_generation(number);
    candidate.mutable_last_step()->set_step(member.held);
    candidate.mutable_last_step()->set_seconds(0.1);
  }
  say(rank, std::move(said));
}

// The settle rule, from what the workers really hold.
void SimulatedCluster::check_source(const protocol::Roster& roster) {
  std::int64_t newest = -1;
  for (const protocol::Place& place : roster.places()) {
    const Worker& member = worker(place.rank());
    newest = std::max(newest, member.held);
    if (place.held_step() != member.held)
      controller_->violate(fmt::format("rank {} holds step {}, its place says {}", place.rank(),
                                       member.held, place.held_step()));
  }
  const std::int64_t expected = std::max({newest, controller_->committed_step(), std::int64_t{0}});
  if (roster.step() != expected)
    controller_->violate(fmt::format("generation {} begins at step {} instead of {}",
                                     roster.generation(), roster.step(), expected));
  if (roster.source() == protocol::Roster::REPLICA &&
      worker(roster.source_rank()).held != roster.step())
    controller_->violate("the source does not hold the step");
}

}  // namespace phalanx::simulation
