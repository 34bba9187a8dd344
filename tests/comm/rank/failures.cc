// Scenarios in which something goes wrong.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "device/device_memory.h"
#include "rank/scenario.h"

namespace phalanx::comm {
namespace {

using nlohmann::json;

// Performs one operation by its name, with `count` elements a slice. To send and to receive,
// everybody passes a message to the next rank.
class Performer {
 public:
  Performer(Group& group, std::size_t count)
      : group_(group),
        count_(count),
        data_(count * static_cast<std::size_t>(group.size()), 1.0f),
        result_(data_.size()),
        counts_(static_cast<std::size_t>(group.size()), count) {}

  void perform(const std::string& name) {
    const std::span<float> slice(data_.data(), count_), whole(data_);
    const std::span<float> result(result_.data(), count_), whole_result(result_), none;
    const bool here = group_.rank() == 0;
    if (name == "all_reduce") group_.all_reduce(slice).wait();
    if (name == "reduce_scatter") group_.reduce_scatter(whole, result).wait();
    if (name == "all_gather") group_.all_gather(slice, whole_result).wait();
    if (name == "broadcast") group_.broadcast(slice, 0).wait();
    if (name == "gather") group_.gather(slice, here ? whole_result : none, 0).wait();
    if (name == "scatter") group_.scatter(here ? whole : none, result, 0).wait();
    if (name == "all_to_all") group_.all_to_all(whole, counts_, whole_result, counts_).wait();
    if (name == "barrier") group_.barrier().wait();
    if (name == "message") pass(slice, result);
  }

 private:
  void pass(std::span<float> slice, std::span<float> result) {
    const int size = group_.size(), rank = group_.rank();
    Work sent = group_.send(slice, (rank + 1) % size);
    group_.receive(result, (rank + size - 1) % size).wait();
    sent.wait();
  }

  Group& group_;
  std::size_t count_;
  Floats data_, result_;
  std::vector<std::size_t> counts_;
};

json until_it_fails(RankContext& context, Group& group) {
  Performer performer(group, context.arguments()["count"]);
  const std::string operation = context.arguments()["operation"];
  try {
    while (true) performer.perform(operation);
  } catch (const CommError& error) {
    return {{"comm_error", describe(error)}};
  }
}

// Everybody performs an operation again and again. The victim stops before one, or says when it is
// in the middle of them, for the test to do its worst.
json suffers(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Performer(*group, 3).perform(context.arguments()["operation"]);
  if (context.rank() == context.arguments()["victim"]) {
    context.mark("here");
    if (context.arguments()["when"] == "before") context.await_go();
  }
  return until_it_fails(context, *group);
}

// Rank 2 waits for rank 1 first; later rank 1 waits for rank 0, which never comes. Rank 2's
// deadline passes first.
json waits_in_a_row(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  const int rank = context.rank();
  Floats data(3);
  if (rank > 0) group->receive(data, rank - 1).wait();
  if (rank < 2) group->send(data, rank + 1).wait();
  if (rank == 0) context.await_go();
  if (rank == 1)
    for (const auto later = Clock::now() + std::chrono::milliseconds(400); Clock::now() < later;)
      std::this_thread::yield();
  group->receive(data, rank - 1).wait();
  return {{"error", "no error"}};
}

// The victim's connections break while all operate.
json is_cut_off(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Performer(*group, 3).perform("all_reduce");
  if (context.rank() == context.arguments()["victim"])
    for (int fd = 4; fd < 1024; ++fd) {
      int type = 0;
      socklen_t size = sizeof type;
      if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM)
        ::shutdown(fd, SHUT_RDWR);
    }
  return until_it_fails(context, *group);
}

// Rank 0 aborts from another thread while all wait; every later operation fails as well.
json aborts(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  group->barrier().wait();
  if (context.rank() != 0) return until_it_fails(context, *group);
  std::thread thread([&] { communicator->abort(1, "the test says so"); });
  json found = until_it_fails(context, *group);
  thread.join();
  try {
    group->barrier().wait();
  } catch (const CommError& error) {
    found["later"] = describe(error);
  }
  return found;
}

// The victim has another number of elements for the next rank than that one expects, `offered`
// instead of `expected`; nothing may be written behind those.
json miscounts(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  group->barrier().wait();
  const int victim = context.arguments()["victim"], size = context.size(), rank = context.rank();
  const auto next = static_cast<std::size_t>((victim + 1) % size);
  std::vector<std::size_t> sends(static_cast<std::size_t>(size), 0), receives = sends;
  if (rank == victim) sends[next] = context.arguments()["offered"];
  if (rank == static_cast<int>(next))
    receives[static_cast<std::size_t>(victim)] = context.arguments()["expected"];
  const auto total = [](const auto& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  };
  const Floats data(total(sends), 1);
  Floats result(total(receives) + 100'000, 2);
  try {
    group->all_to_all(data, sends, std::span(result).first(total(receives)), receives).wait();
    group->barrier().wait();
  } catch (const CommError& error) {
    const auto behind = result.begin() + static_cast<std::ptrdiff_t>(total(receives));
    const bool kept = std::all_of(behind, result.end(), [](float x) { return x == 2; });
    return {{"comm_error", describe(error)}, {"kept", kept}};
  }
  return {{"error", "no error"}};
}

json mismatches(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  group->barrier().wait();
  const int victim = context.arguments()["victim"];
  const bool odd_one = context.rank() == victim;
  const std::string how = context.arguments()["how"];
  Floats data(200'000);
  const std::span<float> all(data);
  if (how == "size") group->all_reduce(all.first(odd_one ? 10 : 11)).wait();
  if (how == "large size") group->all_reduce(all.first(odd_one ? 200'000 : 100'000)).wait();
  if (how == "operation" && odd_one) group->broadcast(all.first(10), 0).wait();
  if (how == "operation" && !odd_one) group->all_reduce(all.first(10)).wait();
  const auto reduction = odd_one ? Reduction::kMax : Reduction::kMin;
  if (how == "reduction") group->all_reduce(all.first(10), reduction).wait();
  if (how == "type" && odd_one) group->all_reduce(std::vector<std::int32_t>(10)).wait();
  if (how == "type" && !odd_one) group->all_reduce(all.first(10)).wait();
  if (how == "pairs" && odd_one) Performer(*group, 10).perform("all_to_all");
  if (how == "pairs" && !odd_one) Performer(*group, 10).perform("gather");
  if (how == "root") group->broadcast(all.first(10), odd_one ? 0 : 1).wait();
  if (how == "message" && odd_one) group->send(all.first(10), (victim + 1) % context.size()).wait();
  if (how == "message" && context.rank() == (victim + 1) % context.size())
    group->receive(all.first(11), victim).wait();
  group->barrier().wait();
  return {{"error", "no error"}};
}

// After a failure the survivors take part in the next generation.
json re_forms(RankContext& context) {
  auto communicator = context.join();
  json first;
  {
    const auto group = communicator->make_group(context.everybody());
    group->barrier().wait();
    if (context.rank() == context.arguments()["victim"]) {
      context.mark("here");
      context.await_go();
    }
    first = until_it_fails(context, *group);
  }
  communicator.reset();
  communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Floats data(50'000, 1.0f);
  group->all_reduce(data).wait();
  return {{"first", first}, {"sum", data[49'999]}, {"size", group->size()}};
}

// A rank that is done leaves; the others go on without it.
json leaves_early(RankContext& context) {
  auto communicator = context.join();
  auto world = communicator->make_group(context.everybody());
  std::vector<int> rest = context.everybody();
  rest.erase(rest.begin());
  world->barrier().wait();
  if (context.rank() == 0) return {{"sum", context.size() - 1}};
  const auto group = communicator->make_group(rest);
  Floats data(50'000);
  for (int round = 0; round < 20; ++round) {
    std::fill(data.begin(), data.end(), 1.0f);
    group->all_reduce(data).wait();
  }
  return {{"sum", data[0]}};
}

json forms(RankContext& context) {
  const auto communicator = context.join();
  const auto group = communicator->make_group(context.everybody());
  Floats data(10, 1.0f);
  group->all_reduce(data).wait();
  return {{"sum", data[0]}};
}

}  // namespace

const std::map<std::string, Scenario>& failure_scenarios() {
  static const std::map<std::string, Scenario> scenarios{{"suffers", suffers},
                                                         {"is_cut_off", is_cut_off},
                                                         {"aborts", aborts},
                                                         {"mismatches", mismatches},
                                                         {"miscounts", miscounts},
                                                         {"re_forms", re_forms},
                                                         {"leaves_early", leaves_early},
                                                         {"forms", forms},
                                                         {"waits_in_a_row", waits_in_a_row}};
  return scenarios;
}

}  // namespace phalanx::comm
