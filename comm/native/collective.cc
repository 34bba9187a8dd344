// The order and the algorithms are described in docs/communication.md.
#include "comm/native/collective.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace phalanx::comm {
namespace {

void copy(const float* from, float* to, std::size_t count) {
  if (from != to && count > 0) std::memcpy(to, from, count * sizeof(float));
}

// One collective on one rank while it runs.
class Run {
 public:
  Run(Engine& engine, const GroupMembers& members, Meeting& meeting, Exchange& exchange,
      const Collective& collective)
      : engine_(engine),
        members_(members),
        meeting_(meeting),
        exchange_(exchange),
        collective_(collective),
        producers_(placement().one_node() ? meeting.size() : exchange.lanes(collective)) {}

  Task run(Strand& strand);

 private:
  const Placement& placement() const { return members_.placement; }
  const std::vector<int>& here() const {
    return placement().nodes[static_cast<std::size_t>(placement().node)];
  }
  bool gives_input(int member) const {
    return collective_.operation != Operation::kBroadcast ||
           here()[static_cast<std::size_t>(member)] == collective_.root;
  }
  bool through_staging(int member) const {
    return meeting_.size() > 1 && gives_input(member) && !collective_.is_short() &&
           meeting_.slot(member, collective_.sequence).announcement.input == 0;
  }
  std::size_t chunk_size() const;
  Range chunk(std::size_t index) const;
  Range part(std::size_t index, int producer) const {
    return piece(chunk(index), producer, producers_);
  }

  void announce();
  void compare(int member) const;
  void see_inputs();
  void look_at_chunk(std::size_t index);
  Task directly(Strand& strand);
  Task in_chunks(Strand& strand);
  void stage(std::size_t index);
  Task produce(Strand& strand, std::size_t index);
  void consume(std::size_t index);
  void gather(Range range, std::size_t index);
  void take_broadcast(Range range, std::size_t index);
  void sum(int slice, Range range, std::span<float* const> results) const;
  void copy_results(std::size_t index);

  Engine& engine_;
  const GroupMembers& members_;
  Meeting& meeting_;
  Exchange& exchange_;
  const Collective& collective_;
  int producers_;             // members of the node that make results for all
  bool staged_ = false;       // some input is neither short nor in the node's memory
  std::vector<View> inputs_;  // by member of the node
};

Task Run::run(Strand& strand) {
  const bool lane = !placement().one_node() && placement().local < producers_;
  if (lane) exchange_.call();
  co_await meeting_.attach(strand);
  announce();
  co_await meeting_.all(strand, meeting_.post());
  for (int member = 0; member < meeting_.size(); ++member) compare(member);
  see_inputs();
  if (lane) co_await exchange_.open(strand, collective_);
  if (placement().one_node() && !staged_)
    co_await directly(strand);
  else
    co_await in_chunks(strand);
}

void Run::announce() {
  auto& slot = meeting_.slot(meeting_.self(), collective_.sequence);
  const NodeMemory& memory = engine_.memory();
  const std::size_t bytes = collective_.input_bytes();
  slot.announcement = {static_cast<std::uint32_t>(collective_.operation), collective_.root,
                       collective_.sequence, collective_.count, 0};
  if (collective_.is_short()) {
    if (bytes > 0) std::memcpy(slot.payload, collective_.input, bytes);
  } else if (memory.holds(collective_.input, bytes)) {
    slot.announcement.input = memory.offset_of(collective_.input);
  }
}

void Run::compare(int member) const {
  const auto& found = meeting_.slot(member, collective_.sequence).announcement;
  if (found.operation == static_cast<std::uint32_t>(collective_.operation) &&
      found.root == collective_.root && found.sequence == collective_.sequence &&
      found.count == collective_.count)
    return;
  throw Ending{
      CommError::Kind::kMismatch, meeting_.rank_of(member),
      fmt::format("expected {} with {} elements a slice and root {}, found {} with {} and root {}",
                  operation_name(collective_.operation), collective_.count, collective_.root,
                  operation_name(static_cast<Operation>(found.operation)), found.count,
                  found.root)};
}

void Run::see_inputs() {
  inputs_.resize(static_cast<std::size_t>(meeting_.size()));
  for (int member = 0; member < meeting_.size(); ++member) {
    const auto& slot = meeting_.slot(member, collective_.sequence);
    View& view = inputs_[static_cast<std::size_t>(member)];
    view.stride = collective_.count;
    if (member == meeting_.self())
      view.base = collective_.input;
    else if (collective_.is_short())
      view.base = reinterpret_cast<const float*>(slot.payload);
    else if (slot.announcement.input != 0)
      view.base = engine_.memory().at<float>(slot.announcement.input);
    staged_ |= through_staging(member);
  }
}

std::size_t Run::chunk_size() const {
  const auto slices =
      static_cast<std::size_t>(std::max(collective_.input_slices, collective_.output_slices));
  return std::max<std::size_t>(1, Meeting::kStaging / slices / 16 * 16);
}

Range Run::chunk(std::size_t index) const {
  const std::size_t begin = index * chunk_size();
  return {begin, std::min(begin + chunk_size(), collective_.count)};
}

// Everybody reads everybody's input where it is. Of an all-reduce that is not short, everybody
// writes the sum of its piece where all of them want it.
Task Run::directly(Strand& strand) {
  const Range whole{0, collective_.count};
  const bool push = collective_.operation == Operation::kAllReduce && !collective_.is_short();
  const Range mine = push ? piece(whole, meeting_.self(), meeting_.size()) : whole;
  for (std::size_t begin = mine.begin; begin < mine.end; begin += chunk_size()) {
    const Range range{begin, std::min(begin + chunk_size(), mine.end)};
    std::vector<float*> results{collective_.output + begin};
    if (push) {
      results.clear();
      for (const View& input : inputs_) results.push_back(const_cast<float*>(input.at(0, begin)));
    }
    if (collective_.operation == Operation::kAllReduce) sum(0, range, results);
    if (collective_.operation == Operation::kReduceScatter) sum(members_.rank, range, results);
    if (collective_.operation == Operation::kAllGather) gather(range, 0);
    if (collective_.operation == Operation::kBroadcast) take_broadcast(range, 0);
    if (range.end < mine.end) co_await strand.yield();
  }
  if (!collective_.is_short()) co_await meeting_.all(strand, meeting_.post());
}

// Chunk by chunk through the staging buffers: inputs in, results made by `producers_`, results out.
// The next chunk's inputs go in before this one's are waited for.
Task Run::in_chunks(Strand& strand) {
  const std::size_t chunks =
      std::max<std::size_t>(1, (collective_.count + chunk_size() - 1) / chunk_size());
  if (collective_.count > 0) meeting_.ensure_staging();
  stage(0);
  std::uint64_t ready = meeting_.post(), consumed = 0;
  for (std::size_t index = 0; index < chunks; ++index) {
    const std::uint64_t inputs = ready;
    if (index + 1 < chunks) {
      co_await meeting_.all(strand, consumed);
      stage(index + 1);
      ready = meeting_.post();
    }
    co_await meeting_.all(strand, inputs);
    look_at_chunk(index);
    co_await produce(strand, index);
    co_await meeting_.all(strand, meeting_.post());
    consume(index);
    consumed = meeting_.post();
    co_await strand.yield();
  }
  co_await meeting_.all(strand, consumed);
}

void Run::stage(std::size_t index) {
  if (!through_staging(meeting_.self())) return;
  const Range range = chunk(index);
  float* place = meeting_.staged_input(meeting_.self(), index);
  for (int slice = 0; slice < collective_.input_slices; ++slice)
    copy(inputs_[static_cast<std::size_t>(meeting_.self())].at(slice, range.begin),
         place + static_cast<std::size_t>(slice) * chunk_size(), range.size());
}

void Run::look_at_chunk(std::size_t index) {
  for (int member = 0; member < meeting_.size(); ++member)
    if (member != meeting_.self() && through_staging(member))
      inputs_[static_cast<std::size_t>(member)] = {meeting_.staged_input(member, index),
                                                   chunk_size(), chunk(index).begin};
}

Task Run::produce(Strand& strand, std::size_t index) {
  if (meeting_.self() >= producers_ || collective_.count == 0) co_return;
  const Range mine = part(index, meeting_.self());
  float* result = meeting_.staged_result(meeting_.self(), index);
  if (!placement().one_node())
    co_await exchange_.run(strand, collective_, inputs_, mine, result);
  else if (collective_.operation == Operation::kAllReduce)
    sum(0, mine, std::vector<float*>{result});
}

void Run::consume(std::size_t index) {
  const Range range = chunk(index);
  switch (collective_.operation) {
    case Operation::kAllReduce:
      return copy_results(index);
    case Operation::kReduceScatter:
      if (!placement().one_node()) return copy_results(index);
      return sum(members_.rank, range, std::vector<float*>{collective_.output + range.begin});
    case Operation::kAllGather:
      return gather(range, index);
    case Operation::kBroadcast:
      return take_broadcast(range, index);
    default:
      return;
  }
}

// Takes every producer's part of the chunk: of an all-reduce the same for all members of the node,
// of a reduce-scatter one after another for each.
void Run::copy_results(std::size_t index) {
  const bool scattered = collective_.operation == Operation::kReduceScatter;
  for (int producer = 0; producer < producers_; ++producer) {
    const Range from = part(index, producer);
    const float* result = meeting_.staged_result(producer, index);
    if (scattered) result += static_cast<std::size_t>(meeting_.self()) * from.size();
    copy(result, collective_.output + from.begin, from.size());
  }
}

// Results of an all-gather between nodes are the other nodes' slices, node after node.
void Run::gather(Range range, std::size_t index) {
  std::size_t far = 0;
  for (int node = 0; node < static_cast<int>(placement().nodes.size()); ++node) {
    const auto& members = placement().nodes[static_cast<std::size_t>(node)];
    for (std::size_t member = 0; member < members.size(); ++member) {
      float* slice =
          collective_.output + static_cast<std::size_t>(members[member]) * collective_.count;
      if (node == placement().node) {
        copy(inputs_[member].at(0, range.begin), slice + range.begin, range.size());
        continue;
      }
      for (int producer = 0; producer < producers_; ++producer) {
        const Range from = part(index, producer);
        copy(meeting_.staged_result(producer, index) + far * from.size(), slice + from.begin,
             from.size());
      }
      ++far;
    }
  }
}

void Run::take_broadcast(Range range, std::size_t index) {
  const auto root = std::find(here().begin(), here().end(), collective_.root);
  if (root == here().end()) return copy_results(index);
  const auto member = static_cast<std::size_t>(root - here().begin());
  copy(inputs_[member].at(0, range.begin), collective_.output + range.begin, range.size());
}

void Run::sum(int slice, Range range, std::span<float* const> results) const {
  std::vector<const float*> leaves;
  for (const View& input : inputs_) leaves.push_back(input.at(slice, range.begin));
  exchange_.whole().run(leaves, results, range.size());
}

}  // namespace

Task run_collective(Strand& strand, Engine& engine, const GroupMembers& members, Meeting& meeting,
                    Exchange& exchange, Collective collective) {
  Run run(engine, members, meeting, exchange, collective);
  co_await run.run(strand);
}

}  // namespace phalanx::comm
