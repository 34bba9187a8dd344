#include "launcher/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace phalanx::launcher {
namespace {

constexpr std::int64_t kPlainLines = 20;  // over a whole run
constexpr double kSmoothing = 0.1;        // weight of the newest step in the mean
constexpr auto kClearLine = "\r\033[K";

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string rate(double tokens_per_second) {
  if (tokens_per_second < 10'000) return fmt::format("{:.0f}", tokens_per_second);
  if (tokens_per_second < 10'000'000) return fmt::format("{:.1f}k", tokens_per_second / 1e3);
  return fmt::format("{:.1f}M", tokens_per_second / 1e6);
}

}  // namespace

std::string step_line(const protocol::StepReport& step, std::int64_t steps, double seconds_a_step,
                      double tokens_per_second) {
  std::string text = fmt::format("step {:>{}}/{}  loss {:.4f}", step.step(),
                                 std::to_string(steps).size(), steps, step.loss());
  if (tokens_per_second > 0) text += fmt::format("  {} tokens/s", rate(tokens_per_second));
  if (step.step() < steps)
    text += fmt::format("  {} left",
                        duration(static_cast<double>(steps - step.step()) * seconds_a_step));
  if (step.has_validation_loss())
    text += fmt::format("  validation loss {:.4f}", step.validation_loss());
  return text;
}

std::string fit(const std::string& text, std::size_t columns) {
  return columns == 0 ? text : text.substr(0, columns);
}

Terminal::Terminal(int fd) : fd_(fd), live_(::isatty(fd) == 1) {}

void Terminal::step(const protocol::StepReport& step, std::int64_t steps) {
  seconds_a_step_ = seconds_a_step_ == 0
                        ? step.seconds()
                        : (1 - kSmoothing) * seconds_a_step_ + kSmoothing * step.seconds();
  if (newest_tokens_ > 0 && step.tokens() > newest_tokens_)
    tokens_per_second_ = static_cast<double>(step.tokens() - newest_tokens_) / seconds_a_step_;
  newest_tokens_ = step.tokens();
  const std::string text = step_line(step, steps, seconds_a_step_, tokens_per_second_);
  if (live_) {
    live_line_ = text;
    write(redrawn());
    if (step.has_validation_loss()) finish();
    return;
  }
  const std::int64_t every = std::max<std::int64_t>(1, steps / kPlainLines);
  if (step.step() == 1 || step.step() == steps || step.step() % every == 0 ||
      step.has_validation_loss())
    write(text + "\n");
}

void Terminal::line(const std::string& text) {
  write(live_ ? kClearLine + text + "\n" + redrawn() : text + "\n");
}

void Terminal::finish() {
  if (live_ && !live_line_.empty()) write("\n");
  live_line_.clear();
}

std::string Terminal::redrawn() const {
  winsize size{};  // it may have changed; a line that is wrapped could not be cleared
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0) size.ws_col = 0;
  return kClearLine + fit(live_line_, size.ws_col);
}

void Terminal::write(const std::string& text) {
  // A terminal that has gone is no reason to end a run.
  (void)!::write(fd_, text.data(), text.size());
}

}  // namespace phalanx::launcher
