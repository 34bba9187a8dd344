// Scenarios in which every operation gives what it promises.
#include <algorithm>
#include <list>

#include "device/device_memory.h"
#include "rank/findings.h"
#include "rank/scenario.h"

namespace phalanx::comm {
namespace {

using nlohmann::json;

constexpr auto kFloat = ElementType::kFloat32;

Numbers slice(const Numbers& all, std::size_t count, int index) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(count) * index;
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

// Of one kind of data: every operation that the backend has, on all members of a group.
class Trial {
 public:
  Trial(const Backend& backend, Group& group, ElementType type, std::size_t count,
        const std::string& memory, int salt, Findings& findings)
      : backend_(backend),
        group_(group),
        type_(type),
        count_(count),
        salt_(salt),
        buffers_(group, memory),
        findings_(findings) {}

  void reduce(Reduction reduction);
  void collect();
  void root();
  void exchange();

 private:
  int size() const { return group_.size(); }
  int rank() const { return group_.rank(); }
  std::size_t whole() const { return count_ * static_cast<std::size_t>(size()); }
  bool has(Operation operation) const { return backend_.has(operation); }
  Buffer data(int salt, std::size_t count) {
    return buffers_.make(type_, numbers(type_, rank(), salt, count));
  }
  void compare(Operation operation, const Numbers& expected, Buffer found) {
    findings_.compare(operation_name(operation), expected, found);
  }
  void compare_reduced(Operation operation, Reduction reduction, int salt, std::size_t count,
                       int index, Buffer found);
  std::size_t uneven(int from, int to) const {
    return count_ * static_cast<std::size_t>((3 * from + 5 * to + salt_) % 4) / 2;
  }

  const Backend& backend_;
  Group& group_;
  ElementType type_;
  std::size_t count_;
  int salt_;
  Buffers buffers_;
  Findings& findings_;
};

// Of `count` elements reduced, `found` is slice `index`.
void Trial::compare_reduced(Operation operation, Reduction reduction, int salt, std::size_t count,
                            int index, Buffer found) {
  const Numbers expected = tree_reduction(reduction, type_, size(), salt, count);
  Numbers slack;
  if (backend_.sums == Backend::Sums::kAnyOrder && reduction == Reduction::kSum)
    slack = slice(tolerance(type_, size(), salt, count), count_, index);
  findings_.compare(std::string(operation_name(operation)) + " (" + reduction_name(reduction) + ")",
                    slice(expected, count_, index), found, slack);
}

void Trial::reduce(Reduction reduction) {
  if (has(Operation::kAllReduce)) {
    const Buffer all = data(salt_, count_);
    group_.all_reduce(all, reduction).wait();
    compare_reduced(Operation::kAllReduce, reduction, salt_, count_, 0, all);
  }
  if (has(Operation::kReduceScatter)) {
    const Buffer result = buffers_.make(type_, count_);
    group_.reduce_scatter(data(salt_ + 1, whole()), result, reduction).wait();
    compare_reduced(Operation::kReduceScatter, reduction, salt_ + 1, whole(), rank(), result);
  }
}

void Trial::collect() {
  if (has(Operation::kAllGather)) {
    const Buffer gathered = buffers_.make(type_, whole());
    group_.all_gather(data(salt_ + 2, count_), gathered).wait();
    for (int from = 0; from < size(); ++from)
      compare(Operation::kAllGather, numbers(type_, from, salt_ + 2, count_),
              part_of(gathered, count_ * static_cast<std::size_t>(from), count_));
  }
  if (has(Operation::kBarrier)) group_.barrier().wait();
}

void Trial::root() {
  const int root = salt_ % size();
  const bool here = rank() == root;
  if (has(Operation::kBroadcast)) {
    const Buffer message = data(salt_ + 3, count_);
    group_.broadcast(message, root).wait();
    compare(Operation::kBroadcast, numbers(type_, root, salt_ + 3, count_), message);
  }
  if (has(Operation::kGather)) {
    const Buffer all = here ? buffers_.make(type_, whole()) : Buffer(nullptr, 0, type_);
    group_.gather(data(salt_ + 4, count_), all, root).wait();
    for (int from = 0; from < size() && here; ++from)
      compare(Operation::kGather, numbers(type_, from, salt_ + 4, count_),
              part_of(all, count_ * static_cast<std::size_t>(from), count_));
  }
  if (has(Operation::kScatter)) {
    const Buffer result = buffers_.make(type_, count_);
    const Buffer all = here ? data(salt_ + 5, whole()) : Buffer(nullptr, 0, type_);
    group_.scatter(all, result, root).wait();
    compare(Operation::kScatter, slice(numbers(type_, root, salt_ + 5, whole()), count_, rank()),
            result);
  }
}

// An all-to-all in which pairs exchange different numbers of elements, some of them none.
void Trial::exchange() {
  if (!has(Operation::kAllToAll)) return;
  const auto salt_of = [&](int from, int to) { return 1000 * (salt_ + 6) + from * size() + to; };
  std::vector<std::size_t> sends, receives;
  Numbers outgoing;
  std::size_t incoming = 0;
  for (int peer = 0; peer < size(); ++peer) {
    sends.push_back(uneven(rank(), peer));
    receives.push_back(uneven(peer, rank()));
    incoming += receives.back();
    const Numbers part = numbers(type_, rank(), salt_of(rank(), peer), sends.back());
    outgoing.insert(outgoing.end(), part.begin(), part.end());
  }
  const Buffer result = buffers_.make(type_, incoming);
  group_.all_to_all(buffers_.make(type_, outgoing), sends, result, receives).wait();
  std::size_t begin = 0;
  for (int peer = 0; peer < size(); ++peer) {
    const std::size_t count = receives[static_cast<std::size_t>(peer)];
    compare(Operation::kAllToAll, numbers(type_, peer, salt_of(peer, rank()), count),
            part_of(result, begin, count));
    begin += count;
  }
}

// For each memory, size and type that the test names (none: every type of the backend).
template <class Body>
json try_all(RankContext& context, Group& group, const Body& body) {
  Findings findings;
  int salt = 0;
  for (const std::string memory : context.arguments()["memory"])
    for (const std::size_t count : context.arguments()["counts"])
      for (const ElementType type : context.backend().types)
        if (!context.arguments().contains("type") ||
            context.arguments()["type"] == element_type_name(type)) {
          Trial trial(context.backend(), group, type, count, memory, salt += 7, findings);
          body(trial);
        }
  return findings.result();
}

void everything(Trial& trial) {
  trial.reduce(Reduction::kSum);
  trial.collect();
  trial.root();
  trial.exchange();
}

json every_collective(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  return try_all(context, *group, everything);
}

json every_reduction(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  return try_all(context, *group, [](Trial& trial) {
    for (const Reduction reduction : {Reduction::kSum, Reduction::kMax, Reduction::kMin})
      trial.reduce(reduction);
  });
}

json every_exchange(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  return try_all(context, *group, [](Trial& trial) {
    trial.root();
    trial.exchange();
  });
}

// The groups that a rank is in: all, all in reverse, every second, every second in reverse and
// again, itself alone.
std::vector<std::shared_ptr<Group>> many_groups(RankContext& context, Communicator& communicator) {
  std::vector<int> reversed = context.everybody(), alike;
  std::reverse(reversed.begin(), reversed.end());
  for (int rank = context.rank() % 2; rank < context.size(); rank += 2) alike.push_back(rank);
  const std::vector<int> alike_reversed(alike.rbegin(), alike.rend());
  std::vector<std::shared_ptr<Group>> groups;
  for (const auto& ranks : {context.everybody(), reversed, alike, alike_reversed, alike_reversed,
                            std::vector{context.rank()}})
    groups.push_back(communicator.make_group(ranks));
  return groups;
}

json every_group(RankContext& context) {
  const auto communicator = context.join();
  json found{{"compared", 0}, {"complaints", json::array()}};
  for (const auto& group : many_groups(context, *communicator)) {
    const json each = try_all(context, *group, everything);
    found["compared"] = found["compared"].get<int>() + each["compared"].get<int>();
    for (const json& complaint : each["complaints"]) found["complaints"].push_back(complaint);
  }
  return found;
}

// All pairs, both directions, two messages each, sent before anything is received.
void check_messages(Group& group, std::size_t count, const std::string& memory, int salt,
                    Findings& findings) {
  struct Received {
    int from, salt;
    Buffer data;
  };
  Buffers buffers(group, memory);
  std::vector<Work> works;
  std::vector<Received> received;
  for (const int twice : {0, 1})
    for (int peer = 0; peer < group.size(); ++peer)
      if (peer != group.rank())
        works.push_back(group.send(
            buffers.make(kFloat, numbers(kFloat, group.rank(), salt + twice, count)), peer));
  for (const int twice : {0, 1})
    for (int peer = 0; peer < group.size(); ++peer) {
      if (peer == group.rank()) continue;
      received.push_back({peer, salt + twice, buffers.make(kFloat, count)});
      works.push_back(group.receive(received.back().data, peer));
    }
  for (Work& work : works) work.wait();
  for (const Received& message : received)
    findings.compare("receive", numbers(kFloat, message.from, message.salt, count), message.data);
}

json every_message(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Findings findings;
  int salt = 0;
  for (const std::string memory : context.arguments()["memory"])
    for (const std::size_t count : context.arguments()["counts"])
      check_messages(*group, count, memory, salt += 2, findings);
  return findings.result();
}

// The caller changes its buffer as soon as an operation is done.
json many_small(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  const int rounds = context.arguments()["rounds"], size = group->size();
  Buffers buffers(*group, context.arguments()["memory"]);
  const Buffer buffer = buffers.make(kFloat, context.arguments()["count"].get<std::size_t>());
  std::vector<float> here(buffer.count);
  const auto fill = [&](int value) {
    std::fill(here.begin(), here.end(), static_cast<float>(value));
    own_memory().copy(buffer.data, here.data(), buffer.bytes());
  };
  const auto all_are = [&](int value) {
    own_memory().copy(here.data(), buffer.data, buffer.bytes());
    return std::all_of(here.begin(), here.end(),
                       [&](float found) { return found == static_cast<float>(value); });
  };
  int wrong = 0;
  for (int round = 0; round < rounds; ++round) {
    fill(group->rank() + round);
    group->all_reduce(buffer).wait();
    wrong += !all_are(size * round + size * (size - 1) / 2);
    fill(group->rank() * round);
    group->broadcast(buffer, round % size).wait();
    wrong += !all_are(round % size * round);
    fill(-1);
    if (round % 3 == 0) group->barrier().wait();
  }
  return {{"wrong", wrong}};
}

// Whole numbers, so that sums are the same in any order: rank r of a group gives r + 1 everywhere.
// Starts an operation of a group, and says what the result must be.
struct Started {
  Work work;
  Floats data, result;
  float expected = 0;
};

void start(Group& group, int kind, std::size_t count, Started& started) {
  const int size = group.size(), rank = group.rank();
  const std::size_t whole = count * static_cast<std::size_t>(size);
  const auto mine = static_cast<float>(rank + 1), sum = static_cast<float>(size * (size + 1) / 2);
  started.data.assign(kind == 0 ? count : whole, mine);
  started.result.assign(kind == 0 ? 0 : count, 0);
  started.expected = kind == 3 ? static_cast<float>(size) : sum;
  if (kind == 0) started.work = group.all_reduce(started.data);
  if (kind == 1) started.work = group.reduce_scatter(started.data, started.result);
  if (kind == 2) {  // everybody gets from each rank its number
    const std::vector<std::size_t> counts(static_cast<std::size_t>(size), count);
    started.result.assign(whole, 0);
    started.expected = 0;
    started.work = group.all_to_all(started.data, counts, started.result, counts);
  }
  if (kind == 3) {  // the last rank has what all get
    started.result.assign(count, 0);
    const ConstBuffer data = rank == size - 1 ? ConstBuffer(started.data) : ConstBuffer();
    started.work = group.scatter(data, started.result, size - 1);
  }
}

bool is_right(const Started& started, std::size_t count) {
  const auto& found = started.result.empty() ? started.data : started.result;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const float expected =
        started.expected != 0 ? started.expected : static_cast<float>(i / count + 1);
    if (found[i] != expected) return false;
  }
  return true;
}

// Many operations of several groups are under way at once, each group beginning with another kind,
// and are waited for in another order.
json overlap(RankContext& context) {
  const auto communicator = context.join();
  const auto groups = many_groups(context, *communicator);
  constexpr Operation kKinds[] = {Operation::kAllReduce, Operation::kReduceScatter,
                                  Operation::kAllToAll, Operation::kScatter};
  int compared = 0;
  json complaints = json::array();
  for (int round = 0; round < context.arguments()["rounds"]; ++round)
    for (const std::size_t count : {30'000u, 10u, 3000u}) {
      std::list<Started> all;
      for (int turn = 0; turn < 4; ++turn)
        for (std::size_t g = 0; g < groups.size(); ++g) {
          const int kind = (turn + static_cast<int>(g)) % 4;
          if (context.backend().has(kKinds[kind]))
            start(*groups[g], kind, count, all.emplace_back());
        }
      std::for_each(all.rbegin(), all.rend(), [](Started& each) { each.work.wait(); });
      for (const Started& each : all) {
        ++compared;
        if (!is_right(each, count)) complaints.push_back("operation " + std::to_string(compared));
      }
    }
  return {{"compared", compared}, {"complaints", complaints}};
}

}  // namespace

const std::map<std::string, Scenario>& operation_scenarios() {
  static const std::map<std::string, Scenario> scenarios{{"every_collective", every_collective},
                                                         {"every_reduction", every_reduction},
                                                         {"every_exchange", every_exchange},
                                                         {"every_group", every_group},
                                                         {"every_message", every_message},
                                                         {"many_small", many_small},
                                                         {"overlap", overlap}};
  return scenarios;
}

}  // namespace phalanx::comm
