#include "launcher/node/detectors.h"

#include <gtest/gtest.h>

#include "protocol/black_box.h"

namespace phalanx::node {
namespace {

using std::chrono::seconds;

const TimePoint kBegin = TimePoint(seconds(1000));

std::int64_t at(TimePoint time) { return time.time_since_epoch().count(); }

TEST(TooSilent, BearsAHeartbeatThatIsLessThanTenSecondsOld) {
  EXPECT_FALSE(too_silent(at(kBegin), kBegin, kBegin + seconds(9)));
  EXPECT_EQ(too_silent(at(kBegin), kBegin, kBegin + seconds(11)), Duration(seconds(11)));
}

TEST(TooSilent, GivesAWorkerThatIsStartingMoreTime) {
  EXPECT_FALSE(too_silent(0, kBegin, kBegin + seconds(119)));
  EXPECT_EQ(too_silent(0, kBegin, kBegin + seconds(121)), Duration(seconds(121)));
}

TEST(Detectors, NameASilentWorkerOnceAndItsSuccessorAgain) {
  const auto file = create_memory_file("box", protocol::kBlackBoxBytes);
  const MemoryMapping mapping(file);
  auto& box = protocol::black_box_in(mapping.bytes());
  box.heartbeat = at(kBegin);
  box.phase = protocol::Phase::kBackward;
  Detectors detectors;
  detectors.watch(3, 77, file, kBegin);
  EXPECT_TRUE(detectors.look(kBegin + seconds(5)).empty());
  const auto silent = detectors.look(kBegin + seconds(12));
  ASSERT_EQ(silent.size(), 1u);
  EXPECT_EQ(silent[0].slot(), 3);
  EXPECT_EQ(silent[0].pid(), 77);
  EXPECT_EQ(silent[0].seconds(), 12);
  EXPECT_EQ(silent[0].phase(), "backward");
  EXPECT_TRUE(detectors.look(kBegin + seconds(13)).empty());

  box.heartbeat = 0;
  detectors.watch(3, 78, file, kBegin + seconds(20));
  EXPECT_TRUE(detectors.look(kBegin + seconds(60)).empty());
  ASSERT_EQ(detectors.look(kBegin + seconds(141)).size(), 1u);
}

}  // namespace
}  // namespace phalanx::node
