#include "nn/train/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ostream>
#include <utility>

#include "nn/report/format.hpp"
#include "nn/report/utf8.hpp"

namespace atto {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool can_rewrite(std::FILE* file) {
  const char* term = std::getenv("TERM");
  return file && ::isatty(::fileno(file)) && term && std::string_view(term) != "dumb";
}

int terminal_columns(std::FILE* file) {
  winsize size{};
  if (file && ::ioctl(::fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

/// "  valid 0.4312 / 0.8500": loss and metric of one split; empty where neither was measured.
std::string split(std::string_view name, double loss, double metric) {
  if (std::isnan(loss) && std::isnan(metric)) return {};
  return fmt::format("  {} {} / {}", name, report::fixed(loss), report::fixed(metric));
}

std::string bar(double fraction, int width) {
  const int full = std::clamp(static_cast<int>(fraction * width), 0, width);
  return "[" + std::string(static_cast<std::size_t>(full), '=') +
         std::string(static_cast<std::size_t>(width - full), ' ') + "]";
}

}  // namespace

Progress::Progress(std::FILE* out, ProgressOptions options) : file_(out), options_(std::move(options)) {
  live_ = options_.live.value_or(can_rewrite(out));
  if (!options_.clock) options_.clock = steady_seconds;
  start_ = options_.clock();
}

Progress::Progress(std::ostream& out, ProgressOptions options) : Progress(nullptr, std::move(options)) {
  stream_ = &out;
}

Progress::~Progress() {
  finish();
}

void Progress::batch(int fold, int epoch, int batch, int batches, double loss) noexcept try {
  arrived(fold, epoch, static_cast<double>(batch) / std::max(batches, 1));
  row_.fold = fold, row_.epoch = epoch;
  batch_ = batch, batches_ = batches, loss_ = loss;
  if (live_) redraw(false);
} catch (...) {
}

void Progress::epoch(const MetricsRow& row) noexcept try {
  arrived(row.fold, row.epoch, 1);
  row_ = last_row_ = row;
  batch_ = batches_ = 0, loss_ = row.train_loss;
  if (live_) redraw(true);
  else write(plain_line(row) + "\n");
} catch (...) {
}

void Progress::note(std::string_view line) noexcept try {
  write(fmt::format("{}{}\n", drawn_ ? "\r\x1b[K" : "", line));
  drawn_ = false;
} catch (...) {
}

void Progress::finish() noexcept try {
  if (std::exchange(drawn_, false)) write("\n");
} catch (...) {
}

void Progress::write(std::string_view text) {
  if (file_) {
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
  } else if (stream_) {
    stream_->write(text.data(), static_cast<std::streamsize>(text.size()));
    stream_->flush();
  }
}

void Progress::arrived(int fold, int epoch, double part) {
  const double before = static_cast<double>(fold) * options_.epochs + epoch - 1;
  // What a resumed run finds done took none of this process's time.
  if (first_ < 0) first_ = before;
  // The metric of one fold says nothing about the next.
  if (fold != last_row_.fold) last_row_ = {.fold = fold};
  done_ = before + part;
}

std::string Progress::place(int fold, int epoch) const {
  const auto of = [](std::string_view what, int at, int count) {
    const std::string all = std::to_string(count);
    return fmt::format("{} {:>{}}/{}", what, at, all.size(), all);
  };
  return (options_.folds > 1 ? of(options_.run, fold + 1, options_.folds) + "  " : "") +
         of("epoch", epoch, options_.epochs);
}

std::string Progress::remaining() const {
  const double total = static_cast<double>(options_.folds) * options_.epochs;
  const double elapsed = options_.clock() - start_;
  if (done_ >= total) return "done in " + report::human_seconds(elapsed);
  if (done_ <= first_) return {};
  return "ETA " + report::human_seconds(elapsed / (done_ - first_) * (total - done_));
}

std::string Progress::plain_line(const MetricsRow& row) const {
  std::string line = place(row.fold, row.epoch) + "  loss / " + options_.metric + ":";
  line += split("train", row.train_loss, row.train_metric);
  line += split("valid", row.valid_loss, row.valid_metric);
  line += split("test", row.test_loss, row.test_metric);
  if (!std::isnan(row.seconds)) line += "  " + report::human_seconds(row.seconds);
  return line + "  " + remaining();
}

std::string Progress::live_line(std::size_t columns) const {
  const double total = static_cast<double>(options_.folds) * options_.epochs;
  const std::string head = place(row_.fold, row_.epoch);
  const std::string progress = "  " + bar(total > 0 ? done_ / total : 0, 16);
  const std::string batch = batches_ > 0 ? fmt::format("  batch {}/{}", batch_, batches_) : "";
  const std::string brief_batch = batches_ > 0 ? fmt::format("  {}/{}", batch_, batches_) : "";
  const std::string loss = fmt::format("  loss {:.4f}", loss_);
  // The metric of the last whole epoch stands until the next one is known.
  const bool validated = !std::isnan(last_row_.valid_metric);
  const double value = validated ? last_row_.valid_metric : last_row_.train_metric;
  const std::string split = validated ? "  valid " : "  train ";
  const std::string metric = std::isnan(value) ? "" : split + options_.metric + fmt::format(" {:.4f}", value);
  const std::string brief = std::isnan(value) ? "" : split + fmt::format("{:.4f}", value);
  const std::string end = "  " + remaining();

  // A narrow terminal loses first what matters least.
  std::string line;
  for (const std::string& variant :
       {head + progress + batch + loss + metric + end, head + batch + loss + metric + end,
        head + batch + loss + brief + end, head + brief_batch + loss + brief + end, head + loss + brief + end}) {
    line = variant;
    if (report::display_columns(line) <= columns) break;
  }
  return report::shorten_columns(line, columns);
}

void Progress::redraw(bool force) {
  const double now = options_.clock();
  if (!force && drawn_ && now - last_draw_ < options_.interval) return;
  last_draw_ = now;
  const int columns = options_.columns > 0 ? options_.columns : terminal_columns(file_);
  // One column less than there are: in the last one some terminals already wrap.
  write("\r" + live_line(static_cast<std::size_t>(std::max(columns - 1, 1))) + "\x1b[K");
  drawn_ = true;
}

}  // namespace atto
