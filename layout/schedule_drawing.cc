#include "layout/schedule_drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

namespace phalanx::layout {
namespace {

// Pixels.
constexpr double kMargin = 20, kLabels = 64, kPeaks = 84, kHeader = 62, kFooter = 74;
constexpr double kBar = 26, kLane = 7, kActivations = 16, kRowGap = 12;
constexpr double kNarrowestPass = 15, kNarrowestPlot = 760;

struct Colour {
  int red, green, blue;

  // `part` of the way to white.
  Colour lighter(double part) const {
    const auto mix = [part](int value) {
      return static_cast<int>(std::lround(value + (255 - value) * part));
    };
    return {mix(red), mix(green), mix(blue)};
  }
  std::string hex() const { return fmt::format("#{:02x}{:02x}{:02x}", red, green, blue); }
};

struct Legend {
  OperationKind kind;
  Colour colour;
};
constexpr std::array kLegend{
    Legend{OperationKind::kForward, {0x2f, 0x6d, 0xb5}},
    Legend{OperationKind::kBackward, {0x0f, 0x8b, 0x8d}},
    Legend{OperationKind::kBackwardInput, {0xd9, 0x6b, 0x27}},
    Legend{OperationKind::kBackwardWeight, {0x6f, 0x94, 0x2b}},
    Legend{OperationKind::kRecompute, {0x87, 0x63, 0xa8}},
    Legend{OperationKind::kGather, {0xc2, 0x3b, 0x74}},
    Legend{OperationKind::kReduce, {0x55, 0x5f, 0x6b}},
};

const Legend* legend_of(OperationKind kind) {
  const auto found = std::find_if(kLegend.begin(), kLegend.end(),
                                  [&](const Legend& legend) { return legend.kind == kind; });
  return found == kLegend.end() ? nullptr : &*found;
}

bool does(const Schedule& schedule, OperationKind kind) {
  return std::any_of(schedule.ranks.begin(), schedule.ranks.end(), [&](const auto& list) {
    return std::any_of(list.begin(), list.end(),
                       [&](const auto& operation) { return operation.kind == kind; });
  });
}

// A step of 1, 2 or 5 times a power of ten, so that about ten fit.
std::int64_t tick_step(std::int64_t length) {
  for (std::int64_t power = 1;; power *= 10)
    for (const std::int64_t step : {power, 2 * power, 5 * power})
      if (length / step <= 12) return step;
}

class Drawing {
 public:
  Drawing(const Schedule& schedule, const Timeline& timeline)
      : schedule_(schedule),
        timeline_(timeline),
        lane_(does(schedule, OperationKind::kGather) || does(schedule, OperationKind::kReduce)
                  ? kLane
                  : 0) {
    std::size_t passes = 0;
    for (const auto& list : schedule.ranks)
      passes = std::max(passes, static_cast<std::size_t>(std::count_if(
                                    list.begin(), list.end(),
                                    [](const auto& each) { return is_compute(each.kind); })));
    plot_width_ = std::max(kNarrowestPlot, static_cast<double>(passes) * kNarrowestPass);
    for (const auto peak : timeline.peak_activations) highest_ = std::max(highest_, peak);
  }

  std::string draw() {
    const double width = 2 * kMargin + kLabels + plot_width_ + kPeaks;
    const double height = kHeader + row_height() * schedule_.rank_count() + kFooter;
    add(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" )"
        R"(viewBox="0 0 {0:.0f} {1:.0f}" font-family="Helvetica, Arial, sans-serif" )"
        R"(font-size="11">)",
        width, height);
    add(R"(<rect width="100%" height="100%" rx="8" fill="#ffffff"/>)");
    header();
    scale();
    for (int rank = 0; rank < schedule_.rank_count(); ++rank) row(rank);
    legend(height - 24);
    add("</svg>");
    return std::move(svg_);
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> line, Args&&... args) {
    fmt::format_to(std::back_inserter(svg_), line, std::forward<Args>(args)...);
    svg_ += '\n';
  }

  double x(std::int64_t time) const {
    return kMargin + kLabels +
           plot_width_ * static_cast<double>(time) / static_cast<double>(timeline_.makespan);
  }
  double row_height() const { return lane_ + kBar + kActivations + kRowGap; }
  double row_top(int rank) const { return kHeader + row_height() * rank; }
  double plot_bottom() const { return row_top(schedule_.rank_count()); }

  void header() {
    add(R"(<text x="{:.1f}" y="28" font-size="17" font-weight="bold" fill="#1d2733">{}</text>)",
        kMargin, schedule_.name);
    const auto plural = [](int count, const char* what) {
      return fmt::format("{} {}{}", count, what, count == 1 ? "" : what[0] == 'm' ? "es" : "s");
    };
    add(R"(<text x="{:.1f}" y="46" fill="#5b6673">{}, {} each, {}; makespan {}, bubble {:.1f}%</text>)",
        kMargin, plural(schedule_.rank_count(), "rank"), plural(schedule_.chunks, "stage"),
        plural(schedule_.micro_batches, "micro-batch"), timeline_.makespan,
        100 * timeline_.bubble());
    add(R"(<text x="{:.1f}" y="46" fill="#5b6673">activations</text>)",
        kMargin + kLabels + plot_width_ + 10);
  }

  void scale() {
    const auto step = tick_step(timeline_.makespan);
    for (std::int64_t time = 0; time <= timeline_.makespan; time += step) {
      add(R"(<line x1="{0:.1f}" y1="{1:.1f}" x2="{0:.1f}" y2="{2:.1f}" stroke="#e3e7ec"/>)",
          x(time), kHeader - 6, plot_bottom());
      add(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="#8a94a0">{}</text>)", x(time),
          plot_bottom() + 12, time);
    }
  }

  void row(int rank) {
    const auto r = static_cast<std::size_t>(rank);
    const double top = row_top(rank) + lane_;
    add(R"(<text x="{:.1f}" y="{:.1f}" fill="#1d2733">rank {}</text>)", kMargin, top + kBar / 2 + 4,
        rank);
    add(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="#f1f3f6"/>)", x(0), top,
        plot_width_, kBar);
    const auto& list = schedule_.ranks[r];
    for (std::size_t i = 0; i < list.size(); ++i) bar(list[i], timeline_.ranks[r][i], top);
    activations(rank, top + kBar + 1);
  }

  Colour colour(const Legend& legend, int chunk) const {
    const double part = schedule_.chunks == 1 ? 0 : 0.5 * chunk / (schedule_.chunks - 1);
    return legend.colour.lighter(part);
  }

  void bar(const Operation& operation, const Span& span, double top) {
    const auto* legend = legend_of(operation.kind);
    if (legend == nullptr || span.end == span.start) return;
    const bool pass = is_compute(operation.kind);
    const double y = pass ? top : top - kLane, height = pass ? kBar : kLane - 1;
    const double left = x(span.start), width = x(span.end) - left;
    const auto number = std::to_string(operation.micro_batch);
    add(R"(<g><title>{}: {} to {}</title>)"
        R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}" stroke="#ffffff"/>)",
        text(operation), span.start, span.end, left, y, width, height,
        colour(*legend, operation.chunk).hex());
    if (pass && width >= 6.5 * static_cast<double>(number.size()) + 1)
      add(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">{}</text>)",
          left + width / 2, y + kBar / 2 + 4, operation.chunk == 0 ? "#ffffff" : "#1d2733", number);
    add("</g>");
  }

  // The area below a rank's passes; all ranks have the same scale.
  void activations(int rank, double top) {
    const auto r = static_cast<std::size_t>(rank);
    const auto y = [&](std::int64_t held) {
      return top + kActivations -
             kActivations * static_cast<double>(held) / static_cast<double>(highest_);
    };
    std::string path = fmt::format("M{:.1f} {:.1f}", x(0), y(0));
    for (const auto& [from, held] : timeline_.activations[r])
      path += fmt::format("H{:.1f}V{:.1f}", x(from), y(held));
    path += fmt::format("H{:.1f}V{:.1f}Z", x(timeline_.makespan), y(0));
    add(R"(<path d="{}" fill="#c9d6e6"/>)", path);
    add(R"(<text x="{:.1f}" y="{:.1f}" fill="#5b6673">peak {}</text>)", x(timeline_.makespan) + 10,
        top + kActivations - 2, timeline_.peak_activations[r]);
  }

  void legend(double y) {
    double left = kMargin + kLabels;
    const auto entry = [&](const std::string& fill, const std::string& label) {
      add(R"(<rect x="{:.1f}" y="{:.1f}" width="12" height="12" rx="2" fill="{}"/>)", left, y - 10,
          fill);
      add(R"(<text x="{:.1f}" y="{:.1f}" fill="#1d2733">{}</text>)", left + 17, y, label);
      left += 17 + 6 * static_cast<double>(label.size()) + 18;
    };
    for (const auto& each : kLegend)
      if (does(schedule_, each.kind)) entry(each.colour.hex(), name(each.kind));
    entry("#c9d6e6", "activations held");
    if (schedule_.chunks > 1)
      add(R"(<text x="{:.1f}" y="{:.1f}" fill="#5b6673">lighter: later chunks of the rank</text>)",
          left, y);
  }

  const Schedule& schedule_;
  const Timeline& timeline_;
  double lane_, plot_width_ = 0;
  std::int64_t highest_ = 1;
  std::string svg_;
};

}  // namespace

std::string draw_schedule(const Schedule& schedule, const Timeline& timeline) {
  return Drawing(schedule, timeline).draw();
}

}  // namespace phalanx::layout
