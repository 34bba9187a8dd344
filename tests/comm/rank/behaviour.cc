// Scenarios of what a rank does and leaves behind while it communicates.
#include <ctime>
#include <thread>

#include "device/device_memory.h"
#include "rank/scenario.h"

namespace phalanx::comm {
namespace {

using nlohmann::json;

// Operations finish although nobody waits: the caller only looks at done().
json proceeds_alone(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Floats small(3, 1.0f), large(1'000'000, 1.0f);
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

// The first half of the ranks send `count` elements each to the other half, and hear that they have
// come. Times and what the processor spent, in seconds.
json crosses_a_link(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Floats data(context.arguments()["count"].get<std::size_t>()), answer(1);
  const int half = context.size() / 2, rank = context.rank();
  const bool sends = rank < half;
  const int peer = sends ? rank + half : rank - half;
  (sends ? group->send(answer, peer) : group->receive(answer, peer)).wait();  // connects
  group->barrier().wait();
  const TimePoint begin = Clock::now();
  const std::clock_t before = std::clock();
  (sends ? group->send(data, peer) : group->receive(data, peer)).wait();
  (sends ? group->receive(answer, peer) : group->send(answer, peer)).wait();
  const TimePoint end = Clock::now();
  const double cpu = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  group->barrier().wait();
  // Steady-clock times are those of the host.
  return {{"took", seconds(end - begin)},
          {"begin", seconds(begin.time_since_epoch())},
          {"end", seconds(end.time_since_epoch())},
          {"cpu", cpu}};
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
  Floats data(5);
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
  Floats data(5);
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

const std::map<std::string, Scenario>& behaviour_scenarios() {
  static const std::map<std::string, Scenario> scenarios{{"proceeds_alone", proceeds_alone},
                                                         {"waits_in_vain", waits_in_vain},
                                                         {"crosses_a_link", crosses_a_link},
                                                         {"allocate_too_much", allocate_too_much},
                                                         {"records", records},
                                                         {"traces", traces}};
  return scenarios;
}

}  // namespace phalanx::comm
