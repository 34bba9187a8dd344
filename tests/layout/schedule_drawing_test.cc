#include "layout/schedule_drawing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "layout/schedule_gallery.h"
#include "tests/layout/schedule_cases.h"

namespace phalanx::layout {
namespace {

using testing::HasSubstr;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(ScheduleDrawing, ThoseOfTheDocumentsAreMadeFromTheCodeOfToday) {
  const std::string folder = PHALANX_SOURCE_DIR "/docs/schedules/";
  const auto document = read_file(PHALANX_SOURCE_DIR "/docs/schedules.md");
  for (const auto& drawing : schedule_gallery()) {
    EXPECT_TRUE(read_file(folder + drawing.file) == drawing.svg)
        << drawing.file << " is stale: build/layout/phalanx-schedule-gallery docs/schedules";
    EXPECT_THAT(document, HasSubstr("(schedules/" + drawing.file + ")"));
  }
}

TEST(ScheduleDrawing, ShowsEveryPassOfEveryRank) {
  const auto schedule = full(ScheduleKind::kZbV, {3, 2, 8});
  const std::vector<StageTimes> times(6, {4, 4, 4, 4, 3, 3});
  const auto svg = draw_schedule(schedule, simulate(schedule, {times, 1}));
  EXPECT_EQ(count(svg, "<title>forward of"), 3U * 2 * 8);
  EXPECT_EQ(count(svg, "<title>backward-input of"), 3U * 2 * 8);
  EXPECT_EQ(count(svg, "<title>backward-weight of"), 3U * 2 * 8);
  EXPECT_EQ(count(svg, "<title>recompute of"), 3U * 8);
  EXPECT_GT(count(svg, "<title>gather of"), 0U);
  EXPECT_GT(count(svg, "<title>reduce of"), 0U);
  EXPECT_EQ(count(svg, "<g>"), count(svg, "</g>"));
  for (const char* entry : {">forward<", ">recompute<", ">gather<", ">rank 2<"})
    EXPECT_THAT(svg, HasSubstr(entry));
}

}  // namespace
}  // namespace phalanx::layout
