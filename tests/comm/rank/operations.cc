// Scenarios in which every operation gives what it promises.
#include <algorithm>
#include <ctime>
#include <list>
#include <thread>

#include "rank/reference.h"
#include "rank/scenario.h"

namespace phalanx::comm {
namespace {

using nlohmann::json;

// Buffers for operations: in the group's registered memory or on the heap.
class Buffers {
 public:
  Buffers(Group& group, const std::string& memory)
      : group_(group),
        registered_(memory == "registered" || (memory == "mixed" && group.rank() % 2 == 1)) {}
  std::span<float> make(std::size_t count) {
    if (!registered_) return heap_.emplace_back(count);
    const auto bytes = group_.allocate(count * sizeof(float));
    return {reinterpret_cast<float*>(bytes.data()), count};
  }
  std::span<float> make(const std::vector<float>& values) {
    const auto buffer = make(values.size());
    std::copy(values.begin(), values.end(), buffer.begin());
    return buffer;
  }

 private:
  Group& group_;
  bool registered_;
  std::list<std::vector<float>> heap_;
};

// Complaints about results, by operation and size.
class Findings {
 public:
  void compare(const std::string& what, const std::vector<float>& expected,
               std::span<const float> found) {
    ++compared_;
    const std::string where = difference(expected, found.data());
    if (!where.empty()) complaints_.push_back(what + ": " + where);
  }
  json result() const { return {{"compared", compared_}, {"complaints", complaints_}}; }

 private:
  int compared_ = 0;
  std::vector<std::string> complaints_;
};

std::vector<float> slice(const std::vector<float>& all, std::size_t count, int index) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(count) * index;
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

void check_collectives(Group& group, std::size_t count, const std::string& memory, int salt,
                       Findings& findings) {
  Buffers buffers(group, memory);
  const int size = group.size(), rank = group.rank();
  const std::string where = " of " + std::to_string(count) + " elements, " + memory + " memory";

  auto data = buffers.make(numbers(rank, salt, count));
  group.all_reduce(data).wait();
  findings.compare("all_reduce" + where, tree_sum(size, salt, count), data);

  const std::size_t whole = count * static_cast<std::size_t>(size);
  auto result = buffers.make(count);
  group.reduce_scatter(buffers.make(numbers(rank, salt + 1, whole)), result).wait();
  findings.compare("reduce_scatter" + where, slice(tree_sum(size, salt + 1, whole), count, rank),
                   result);

  auto gathered = buffers.make(whole);
  group.all_gather(buffers.make(numbers(rank, salt + 2, count)), gathered).wait();
  for (int from = 0; from < size; ++from)
    findings.compare("all_gather" + where, numbers(from, salt + 2, count),
                     gathered.subspan(count * static_cast<std::size_t>(from), count));

  const int root = salt % size;
  auto message = buffers.make(numbers(rank, salt + 3, count));
  group.broadcast(message, root).wait();
  findings.compare("broadcast" + where, numbers(root, salt + 3, count), message);
  group.barrier().wait();
}

json every_collective(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Findings findings;
  int salt = 0;
  for (const std::string memory : context.arguments()["memory"])
    for (const std::size_t count : context.arguments()["counts"])
      check_collectives(*group, count, memory, salt += 7, findings);
  return findings.result();
}

// All pairs, both directions, two messages each, sent before anything is received.
void check_messages(Group& group, std::size_t count, const std::string& memory, int salt,
                    Findings& findings) {
  struct Received {
    int from, salt;
    std::span<float> data;
  };
  Buffers buffers(group, memory);
  std::vector<Work> works;
  std::vector<Received> received;
  for (const int twice : {0, 1})
    for (int peer = 0; peer < group.size(); ++peer)
      if (peer != group.rank())
        works.push_back(group.send(buffers.make(numbers(group.rank(), salt + twice, count)), peer));
  for (const int twice : {0, 1})
    for (int peer = 0; peer < group.size(); ++peer) {
      if (peer == group.rank()) continue;
      received.push_back({peer, salt + twice, buffers.make(count)});
      works.push_back(group.receive(received.back().data, peer));
    }
  for (Work& work : works) work.wait();
  for (const Received& message : received)
    findings.compare("receive", numbers(message.from, message.salt, count), message.data);
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
  const auto data = buffers.make(static_cast<std::size_t>(context.arguments()["count"]));
  const auto all_are = [&](int value) {
    return std::all_of(data.begin(), data.end(),
                       [&](float found) { return found == static_cast<float>(value); });
  };
  int wrong = 0;
  for (int round = 0; round < rounds; ++round) {
    std::fill(data.begin(), data.end(), static_cast<float>(group->rank() + round));
    group->all_reduce(data).wait();
    wrong += !all_are(size * round + size * (size - 1) / 2);
    std::fill(data.begin(), data.end(), static_cast<float>(group->rank() * round));
    group->broadcast(data, round % size).wait();
    wrong += !all_are(round % size * round);
    std::fill(data.begin(), data.end(), -1.0f);
    if (round % 3 == 0) group->barrier().wait();
  }
  return {{"wrong", wrong}};
}

// Many operations of several groups are under way at once, waited for in another order.
json overlap(RankContext& context) {
  const auto communicator = context.join();
  std::vector<int> alike, reversed = context.everybody();
  for (int rank = context.rank() % 2; rank < context.size(); rank += 2) alike.push_back(rank);
  std::reverse(reversed.begin(), reversed.end());
  std::vector<std::shared_ptr<Group>> groups;
  for (const auto& ranks : {context.everybody(), alike, reversed, reversed})
    groups.push_back(communicator->make_group(ranks));
  const int rounds = context.arguments()["rounds"];
  Findings findings;
  for (int round = 0; round < rounds; ++round) {
    std::list<std::vector<float>> data;
    std::vector<Work> works;
    for (const std::size_t count : {100'000u, 10u, 3000u})
      for (const auto& group : groups)
        works.push_back(group->all_reduce(data.emplace_back(numbers(group->rank(), round, count))));
    std::for_each(works.rbegin(), works.rend(), [](Work& work) { work.wait(); });
    auto found = data.begin();
    for (const std::size_t count : {100'000u, 10u, 3000u})
      for (const auto& group : groups)
        findings.compare("all_reduce", tree_sum(group->size(), round, count), *found++);
  }
  return findings.result();
}

// Operations finish although nobody waits: the caller only looks at done().
json proceeds_alone(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  std::vector<float> small(3, 1.0f), large(1'000'000, 1.0f);
  Work first = group->all_reduce(small), second = group->all_reduce(large);
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  while (!(first.done() && second.done()) && Clock::now() < deadline) std::this_thread::yield();
  const bool done = first.done() && second.done();
  group->barrier().wait();
  return {{"done", done}, {"small", small[2]}, {"large", large[999'999]}};
}

// What this process spends while it waits, until the deadline, for a rank that never comes.
json waits_in_vain(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  group->barrier().wait();
  if (context.rank() == 0) context.await_go();
  const std::clock_t before = std::clock();
  try {
    group->barrier().wait();
  } catch (const CommError&) {
    return {{"cpu", static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC}};
  }
  return {{"error", "no error"}};
}

json allocate_too_much(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  group->allocate(1000);
  try {
    group->allocate(std::size_t{1} << 40);
  } catch (const SystemError& error) {
    return {{"what", error.what()}, {"help", error.help()}};
  }
  return {{"what", "no error"}};
}

json records(RankContext& context) {
  const auto communicator = context.join();
  const auto world = communicator->make_group(context.everybody());
  const auto again = communicator->make_group(context.everybody());
  std::vector<float> data(5);
  world->barrier().wait();
  again->all_reduce(data).wait();
  again->all_reduce(data).wait();
  return json::object();
}

json as_json(const protocol::Span& span) {
  const auto& what = std::get<protocol::OperationSpan>(span.what);
  return {{"name", operation_name(static_cast<Operation>(what.operation))},
          {"key", what.key},
          {"group", what.group},
          {"sequence", what.sequence},
          {"bytes", what.bytes},
          {"peer", what.peer},
          {"issued", what.issued},
          {"begin", span.begin},
          {"end", span.end}};
}

// The last rank sends to the first one, both in the world and, in reverse, in a group of the two.
json traces(RankContext& context) {
  const auto communicator = context.join();
  const auto world = communicator->make_group(context.everybody());
  const int last = context.size() - 1;
  std::vector<float> data(5);
  world->barrier().wait();
  context.spans().record(true);
  world->all_reduce(data).wait();
  if (context.rank() == last || context.rank() == 0) {
    const auto pair = communicator->make_group({last, 0});
    const bool sends = context.rank() == last;
    (sends ? pair->send(data, 1) : pair->receive(data, 0)).wait();
  }
  context.spans().record(false);
  world->barrier().wait();
  json found = json::array();
  for (const auto& span : context.spans().of_steps(0, 0).spans) found.push_back(as_json(span));
  return found;
}

}  // namespace

const std::map<std::string, Scenario>& operation_scenarios() {
  static const std::map<std::string, Scenario> scenarios{{"every_collective", every_collective},
                                                         {"every_message", every_message},
                                                         {"many_small", many_small},
                                                         {"overlap", overlap},
                                                         {"proceeds_alone", proceeds_alone},
                                                         {"waits_in_vain", waits_in_vain},
                                                         {"allocate_too_much", allocate_too_much},
                                                         {"records", records},
                                                         {"traces", traces}};
  return scenarios;
}

}  // namespace phalanx::comm
