// Emulated links take their time. Measured times are only compared with the least that is possible:
// a busy machine takes longer.
#include <algorithm>

#include "cluster.h"

namespace phalanx::comm {
namespace {

constexpr double kBytesPerSecond = 10e6;

std::vector<nlohmann::json> cross(const std::vector<int>& nodes, std::size_t bytes,
                                  Duration latency) {
  ClusterPlan plan{.scenario = "crosses_a_link", .nodes = nodes};
  plan.arguments = {{"count", bytes / sizeof(float)}};
  plan.link = {kBytesPerSecond, latency};
  return start(plan)->results();
}

TEST(EmulatedLink, ATransferTakesAsLongAsTheBandwidthSays) {
  const auto results = cross({0, 1}, 5'000'000, {});
  for (const auto& result : results) {
    EXPECT_GE(result.value("took", 0.0), 0.5 * 0.95) << result;
    EXPECT_LT(result.value("cpu", 9.9), 0.2) << "who waits for a link sleeps: " << result;
  }
}

// From the first that begins to the last that ends: they need not begin together.
TEST(EmulatedLink, TheRanksOfANodeShareItsLink) {
  double begin = 1e300, end = 0;
  for (const auto& result : cross({0, 0, 1, 1}, 2'500'000, {})) {
    begin = std::min(begin, result.value("begin", 0.0));
    end = std::max(end, result.value("end", 0.0));
  }
  EXPECT_GE(end - begin, 0.5 * 0.95);
}

TEST(EmulatedLink, AMessageAndItsAnswerTakeTheLatencyTwice) {
  const auto results = cross({0, 1}, 4, std::chrono::milliseconds(100));
  EXPECT_GE(results[0].value("took", 0.0), 0.2 * 0.95) << results[0];
}

TEST(EmulatedLink, RanksOfOneNodeDoNotFeelIt) {
  // 50 MB would take five seconds over the link: less is proof that they went another way.
  for (const auto& result : cross({0, 0}, 50'000'000, {}))
    EXPECT_LT(result.value("took", 99.0), 5) << result;
}

}  // namespace
}  // namespace phalanx::comm
