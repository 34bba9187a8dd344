// The order and the algorithms are described in docs/communication.md.
#include "comm/native/collective.h"

#include <algorithm>
#include <cstring>

#include "comm/native/pairwise.h"

namespace phalanx::comm {
namespace {

void copy_bytes(const std::byte* from, std::byte* to, std::size_t bytes) {
  if (from != to && bytes > 0) std::memcpy(to, from, bytes);
}

// One collective on one rank while it runs.
class Run {
 public:
  Run(Engine& engine, const GroupMembers& members, Meeting& meeting, Exchange& exchange,
      Pairwise& pairwise, const Collective& collective)
      : engine_(engine),
        members_(members),
        meeting_(meeting),
        exchange_(exchange),
        pairwise_(pairwise),
        collective_(collective),
        element_(element_size(collective.type)),
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
  void see_inputs();
  void look_at_chunk(std::size_t index);
  Task directly(Strand& strand);
  Task in_chunks(Strand& strand);
  void stage(std::size_t index);
  bool produces() const { return meeting_.self() < producers_ && collective_.count > 0; }
  bool crosses_nodes() const { return produces() && !placement().one_node(); }
  void produce(std::size_t index);
  Task turn(Strand& strand, std::size_t index);
  Task finish(Strand& strand, std::size_t index);
  void consume(std::size_t index);
  void gather(Range range, std::size_t index);
  void take_broadcast(Range range, std::size_t index);
  void reduce(int slice, Range range, std::span<std::byte* const> results) const;
  std::byte* output(std::size_t index) const { return collective_.output + index * element_; }
  void copy_results(std::size_t index);

  Engine& engine_;
  const GroupMembers& members_;
  Meeting& meeting_;
  Exchange& exchange_;
  Pairwise& pairwise_;
  const Collective& collective_;
  std::size_t element_;       // bytes
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
  for (int member = 0; member < meeting_.size(); ++member)
    expect_same(collective_.signature(),
                meeting_.slot(member, collective_.sequence).announcement.signature,
                meeting_.rank_of(member));
  if (lane) co_await exchange_.open(strand, collective_);
  if (collective_.is_pairwise()) {
    co_await pairwise_.run(strand, collective_);
    co_return;
  }
  see_inputs();
  if (placement().one_node() && !staged_)
    co_await directly(strand);
  else
    co_await in_chunks(strand);
}

void Run::announce() {
  auto& slot = meeting_.slot(meeting_.self(), collective_.sequence);
  const NodeMemory& memory = engine_.memory();
  const std::size_t bytes = collective_.input_bytes();
  slot.announcement = {collective_.signature(), 0};
  if (collective_.is_pairwise()) return;
  if (collective_.is_short()) {
    if (bytes > 0) std::memcpy(slot.payload, collective_.input, bytes);
  } else if (memory.holds(collective_.input, bytes)) {
    slot.announcement.input = memory.offset_of(collective_.input);
  }
}

void Run::see_inputs() {
  inputs_.resize(static_cast<std::size_t>(meeting_.size()));
  for (int member = 0; member < meeting_.size(); ++member) {
    const auto& slot = meeting_.slot(member, collective_.sequence);
    View& view = inputs_[static_cast<std::size_t>(member)];
    view.element = element_;
    view.stride = collective_.count;
    if (member == meeting_.self())
      view.base = collective_.input;
    else if (collective_.is_short())
      view.base = slot.payload;
    else if (slot.announcement.input != 0)
      view.base = engine_.memory().at<std::byte>(slot.announcement.input);
    staged_ |= through_staging(member);
  }
}

std::size_t Run::chunk_size() const {
  const auto slices =
      static_cast<std::size_t>(std::max(collective_.input_slices, collective_.output_slices));
  return std::max<std::size_t>(1, Meeting::kStaging / element_ / slices / 64 * 64);
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
    std::vector<std::byte*> results{output(begin)};
    if (push) {
      results.clear();
      for (const View& input : inputs_)
        results.push_back(const_cast<std::byte*>(input.at(0, begin)));
    }
    if (collective_.operation == Operation::kAllReduce) reduce(0, range, results);
    if (collective_.operation == Operation::kReduceScatter) reduce(members_.rank, range, results);
    if (collective_.operation == Operation::kAllGather) gather(range, 0);
    if (collective_.operation == Operation::kBroadcast) take_broadcast(range, 0);
    if (range.end < mine.end) co_await strand.yield();
  }
  if (!collective_.is_short()) co_await meeting_.all(strand, meeting_.post());
}

// Chunk by chunk through the staging buffers: inputs in, results made by `producers_`, results out.
// The next chunk's inputs go in before this one's are waited for; between nodes a chunk has arrived
// two steps after it left.
Task Run::in_chunks(Strand& strand) {
  const std::size_t chunks =
      std::max<std::size_t>(1, (collective_.count + chunk_size() - 1) / chunk_size());
  const std::size_t way = chunks_under_way(placement()) - 1;  // steps
  if (collective_.count > 0) meeting_.ensure_staging();
  stage(0);
  std::uint64_t ready = meeting_.post(), consumed = 0;
  for (std::size_t step = 0; step < chunks + way; ++step) {
    if (step < chunks) {
      const std::uint64_t inputs = ready;
      if (step + 1 < chunks) {
        co_await meeting_.all(strand, consumed);
        stage(step + 1);
        ready = meeting_.post();
      }
      co_await meeting_.all(strand, inputs);
      look_at_chunk(step);
      produce(step);
    }
    if (step >= way / 2 && step < chunks + way / 2) co_await turn(strand, step - way / 2);
    if (step >= way) {
      co_await finish(strand, step - way);
      co_await meeting_.all(strand, meeting_.post());
      look_at_chunk(step - way);
      consume(step - way);
      consumed = meeting_.post();
    }
    co_await strand.yield();
  }
  co_await meeting_.all(strand, consumed);
}

void Run::stage(std::size_t index) {
  if (!through_staging(meeting_.self())) return;
  const Range range = chunk(index);
  std::byte* place = meeting_.staged_input(meeting_.self(), index);
  for (int slice = 0; slice < collective_.input_slices; ++slice)
    copy_bytes(inputs_[static_cast<std::size_t>(meeting_.self())].at(slice, range.begin),
               place + static_cast<std::size_t>(slice) * chunk_size() * element_,
               range.size() * element_);
}

void Run::look_at_chunk(std::size_t index) {
  for (int member = 0; member < meeting_.size(); ++member)
    if (member != meeting_.self() && through_staging(member))
      inputs_[static_cast<std::size_t>(member)] = {meeting_.staged_input(member, index), element_,
                                                   chunk_size(), chunk(index).begin};
}

void Run::produce(std::size_t index) {
  if (!produces()) return;
  const Range mine = part(index, meeting_.self());
  std::byte* result = meeting_.staged_result(meeting_.self(), index);
  if (crosses_nodes())
    exchange_.begin(collective_, inputs_, index, mine, result);
  else if (collective_.operation == Operation::kAllReduce)
    reduce(0, mine, std::vector{result});
}

Task Run::turn(Strand& strand, std::size_t index) {
  if (crosses_nodes()) co_await exchange_.turn(strand, collective_, index);
}

Task Run::finish(Strand& strand, std::size_t index) {
  if (crosses_nodes()) co_await exchange_.finish(strand, collective_, index);
}

void Run::consume(std::size_t index) {
  const Range range = chunk(index);
  switch (collective_.operation) {
    case Operation::kAllReduce:
      return copy_results(index);
    case Operation::kReduceScatter:
      if (!placement().one_node()) return copy_results(index);
      return reduce(members_.rank, range, std::vector{output(range.begin)});
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
    const std::size_t bytes = from.size() * element_;
    const std::byte* result = meeting_.staged_result(producer, index);
    if (scattered) result += static_cast<std::size_t>(meeting_.self()) * bytes;
    copy_bytes(result, output(from.begin), bytes);
  }
}

// Results of an all-gather between nodes are the other nodes' slices, node after node.
void Run::gather(Range range, std::size_t index) {
  std::size_t far = 0;
  for (int node = 0; node < static_cast<int>(placement().nodes.size()); ++node) {
    const auto& members = placement().nodes[static_cast<std::size_t>(node)];
    for (std::size_t member = 0; member < members.size(); ++member) {
      const std::size_t slice = static_cast<std::size_t>(members[member]) * collective_.count;
      if (node == placement().node) {
        copy_bytes(inputs_[member].at(0, range.begin), output(slice + range.begin),
                   range.size() * element_);
        continue;
      }
      for (int producer = 0; producer < producers_; ++producer) {
        const Range from = part(index, producer);
        const std::size_t bytes = from.size() * element_;
        copy_bytes(meeting_.staged_result(producer, index) + far * bytes,
                   output(slice + from.begin), bytes);
      }
      ++far;
    }
  }
}

void Run::take_broadcast(Range range, std::size_t index) {
  const auto root = std::find(here().begin(), here().end(), collective_.root);
  if (root == here().end()) return copy_results(index);
  const auto member = static_cast<std::size_t>(root - here().begin());
  copy_bytes(inputs_[member].at(0, range.begin), output(range.begin), range.size() * element_);
}

void Run::reduce(int slice, Range range, std::span<std::byte* const> results) const {
  std::vector<const std::byte*> leaves;
  for (const View& input : inputs_) leaves.push_back(input.at(slice, range.begin));
  exchange_.whole().run(collective_.reduction, {collective_.type, collective_.type}, leaves,
                        results, range.size());
}

}  // namespace

Task run_collective(Strand& strand, Engine& engine, const GroupMembers& members, Meeting& meeting,
                    Exchange& exchange, Pairwise& pairwise, Collective collective) {
  Run run(engine, members, meeting, exchange, pairwise, collective);
  co_await run.run(strand);
}

}  // namespace phalanx::comm
