#include "tests/runtime/layout_cases.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

#include "base/check.h"
#include "layout/layout_error.h"
#include "layout/partition.h"

namespace phalanx::runtime {
namespace {

constexpr int kOpen = -1;

LayoutCase all_open() {
  LayoutCase layout;
  layout.values.fill(kOpen);
  return layout;
}

int index_of(const std::string& name) {
  const auto found = std::ranges::find(features(), name, &Feature::name);
  check(found != features().end(), "a feature has this name");
  return static_cast<int>(found - features().begin());
}

int index_of(const std::string& name, const std::string& value) {
  const auto& values = features()[static_cast<std::size_t>(index_of(name))].values;
  const auto found = std::ranges::find(values, value, &Feature::Value::name);
  check(found != values.end(), "a value of the feature has this name");
  return static_cast<int>(found - values.begin());
}

// What the features leave alone.
config::Job small_model() {
  config::Job job;
  job.model.width = 32;
  job.model.heads = 4;
  job.model.ffn_width = 48;
  job.model.sequence_length = 24;
  job.train.micro_batch = 2;
  return job;
}

std::int64_t ranks_of(const config::Parallel& parallel) {
  return parallel.data * parallel.tensor * parallel.pipeline * parallel.context;
}

// Both known, and one without the other.
bool contradicts(int of_axis, int of_way) {
  return of_axis != kOpen && of_way != kOpen && (of_axis > 0) != (of_way > 0);
}

bool does_something(const LayoutCase& layout) {
  static const int pipeline = index_of("pipeline"), schedule = index_of("schedule"),
                   context = index_of("context"), exchange = index_of("exchange"),
                   data = index_of("data"), zero = index_of("zero"), preset = index_of("preset"),
                   kv_heads = index_of("kv_heads"), recompute = index_of("recompute"),
                   expert = index_of("expert"), chunk = index_of("chunk"),
                   balance = index_of("balance"), llama = index_of("preset", "llama"),
                   gpt2 = index_of("preset", "gpt2");
  const auto value = [&](int feature) { return layout.values[static_cast<std::size_t>(feature)]; };
  if (contradicts(value(pipeline), value(schedule)) || contradicts(value(context), value(exchange)))
    return false;
  if (value(pipeline) == 0 && value(recompute) == 3) return false;  // one stage is not mixed
  if (value(zero) > 0 && value(data) == 0 && value(context) == 0) return false;
  if (value(chunk) > 0 && value(expert) == 0) return false;
  const bool dense = value(preset) == llama || value(preset) == gpt2;
  if (dense && (value(expert) > 0 || value(chunk) > 0 || value(balance) > 0)) return false;
  // gpt2 has no grouped queries.
  return !(value(preset) == gpt2 && value(kv_heads) > 0);
}

// What is open is as the first value of its feature, which is refused beside no other; but experts
// are folded over data x context, and wait for these.
LayoutCase closed(LayoutCase layout) {
  static const auto data = static_cast<std::size_t>(index_of("data")),
                    context = static_cast<std::size_t>(index_of("context")),
                    expert = static_cast<std::size_t>(index_of("expert"));
  if (layout.values[data] == kOpen || layout.values[context] == kOpen) layout.values[expert] = 0;
  std::ranges::replace(layout.values, kOpen, 0);
  return layout;
}

// The ranks of a layout, kNever where no partition can be.
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
std::int64_t ranks_needed(const LayoutCase& layout) {
  const auto job = layout.of(small_model());
  try {
    layout::partition(job);
  } catch (const layout::LayoutError&) {
    return kNever;
  }
  return job.ranks();
}

// Most searches ask for the same few.
bool fits(const LayoutCase& layout, int ranks) {
  static std::map<std::array<int, kFeatures>, std::int64_t> known;
  const auto whole = closed(layout);
  const auto [found, is_new] = known.try_emplace(whole.values);
  if (is_new) found->second = ranks_needed(whole);
  return found->second <= ranks;
}

class Cover {
 public:
  explicit Cover(int ranks) : ranks_(ranks) {
    for (const auto& pair : all_pairs())
      if (can_meet(pair, ranks)) pairs_.push_back(pair);
    begin_round();
  }
  bool complete() const { return missing_.empty(); }
  void begin_round() { missing_ = pairs_; }

  LayoutCase next() {
    const auto& first = missing_.front();
    auto layout = all_open();
    layout.values[static_cast<std::size_t>(first.feature)] = first.value;
    layout.values[static_cast<std::size_t>(first.other)] = first.other_value;
    check(complete_case(layout), "two values that can meet meet in some case");
    ++made_;
    std::erase_if(missing_, [&](const FeaturePair& pair) { return pair.in(layout); });
    return layout;
  }

 private:
  // Gives the open features values, those first that let most missing pairs meet.
  bool complete_case(LayoutCase& layout) const {
    if (!is_possible(layout, ranks_)) return false;
    const auto open = std::ranges::find(layout.values, kOpen);
    if (open == layout.values.end()) return true;
    const auto feature = static_cast<std::size_t>(open - layout.values.begin());
    std::vector<std::pair<std::ptrdiff_t, int>> order;  // less is better
    const auto count = static_cast<int>(features()[feature].values.size());
    for (int i = 0; i < count; ++i) {
      const int value = (i + made_) % count;  // cases that gain the same differ
      layout.values[feature] = value;
      order.emplace_back(-gain(layout, static_cast<int>(feature)), value);
    }
    std::ranges::stable_sort(order, {}, &std::pair<std::ptrdiff_t, int>::first);
    for (const auto& [loss, value] : order) {
      layout.values[feature] = value;
      if (complete_case(layout)) return true;
    }
    layout.values[feature] = kOpen;
    return false;
  }
  std::ptrdiff_t gain(const LayoutCase& layout, int feature) const {
    return std::ranges::count_if(missing_, [&](const FeaturePair& pair) {
      return (pair.feature == feature || pair.other == feature) && pair.in(layout);
    });
  }

  int ranks_;
  int made_ = 0;
  std::vector<FeaturePair> pairs_, missing_;
};

// A completion of `layout`, if there is one.
bool has_completion(LayoutCase layout, int ranks) {
  if (!is_possible(layout, ranks)) return false;
  const auto open = std::ranges::find(layout.values, kOpen);
  if (open == layout.values.end()) return true;
  const auto feature = static_cast<std::size_t>(open - layout.values.begin());
  for (int value = 0; value < static_cast<int>(features()[feature].values.size()); ++value) {
    layout.values[feature] = value;
    if (has_completion(layout, ranks)) return true;
  }
  return false;
}

}  // namespace

config::Job LayoutCase::of(config::Job job) const {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != kOpen) features()[i].values[static_cast<std::size_t>(values[i])].apply(job);
  job.launch.ranks_per_node = ranks_of(job.parallel);
  return job;
}

std::ostream& operator<<(std::ostream& out, const LayoutCase& layout) {
  for (std::size_t i = 0; i < layout.values.size(); ++i)
    if (layout.values[i] != kOpen)
      out << (i == 0 ? "" : ", ") << features()[i].name << ' '
          << features()[i].values[static_cast<std::size_t>(layout.values[i])].name;
  return out;
}

bool FeaturePair::in(const LayoutCase& layout) const {
  return layout.values[static_cast<std::size_t>(feature)] == value &&
         layout.values[static_cast<std::size_t>(other)] == other_value;
}

std::string FeaturePair::name() const {
  const auto name = [](int feature, int value) {
    const auto& named = features()[static_cast<std::size_t>(feature)];
    return named.name + " " + named.values[static_cast<std::size_t>(value)].name;
  };
  return name(feature, value) + ", " + name(other, other_value);
}

std::vector<FeaturePair> all_pairs() {
  std::vector<FeaturePair> pairs;
  const auto values = [](int feature) {
    return static_cast<int>(features()[static_cast<std::size_t>(feature)].values.size());
  };
  for (int feature = 0; feature < kFeatures; ++feature)
    for (int other = feature + 1; other < kFeatures; ++other)
      for (int value = 0; value < values(feature); ++value)
        for (int other_value = 0; other_value < values(other); ++other_value)
          pairs.push_back({feature, value, other, other_value});
  return pairs;
}

// What a part of a case is refused for, no completion repairs.
bool is_possible(const LayoutCase& layout, int ranks) {
  return does_something(layout) && fits(layout, ranks);
}

bool can_meet(const FeaturePair& pair, int ranks) {
  auto layout = all_open();
  layout.values[static_cast<std::size_t>(pair.feature)] = pair.value;
  layout.values[static_cast<std::size_t>(pair.other)] = pair.other_value;
  return has_completion(layout, ranks);
}

std::vector<LayoutCase> layout_cases(int ranks, std::size_t count) {
  Cover cover(ranks);
  std::vector<LayoutCase> cases;
  while (!cover.complete() || cases.size() < count) {
    if (cover.complete()) cover.begin_round();
    cases.push_back(cover.next());
  }
  return cases;
}

}  // namespace phalanx::runtime
