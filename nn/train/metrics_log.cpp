#include "nn/train/metrics_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>

#include "core/error.hpp"
#include "core/file.hpp"

namespace atto {
namespace {

namespace fs = std::filesystem;

/// The numeric columns, in the order of the header.
struct Field {
  std::string_view name;
  double MetricsRow::*member;
};
constexpr std::array fields{
    Field{"seconds", &MetricsRow::seconds},           Field{"train_loss", &MetricsRow::train_loss},
    Field{"train_metric", &MetricsRow::train_metric}, Field{"valid_loss", &MetricsRow::valid_loss},
    Field{"valid_metric", &MetricsRow::valid_metric}, Field{"test_loss", &MetricsRow::test_loss},
    Field{"test_metric", &MetricsRow::test_metric}};

std::string reason(int code) {
  return std::generic_category().message(code);
}

/// What the rows of a file ascend by.
std::pair<int, int> key(const MetricsRow& row) {
  return {row.fold, row.epoch};
}

/// Where a message points: the file and a line of it.
struct Place {
  const fs::path& path;
  std::size_t line;
  [[noreturn]] void fail(const std::string& why, const std::string& hint = {}) const {
    throw FileError(path.string(), fmt::format("line {}", line), why, hint);
  }
};

template <typename Number>
Number parse(std::string_view text, std::string_view column, const Place& place) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  // A written "nan" would be a second spelling of the empty field.
  if (code != std::errc() || end != text.data() + text.size() || value != value)
    place.fail(fmt::format("\"{}\" in column {} is no number", text.substr(0, 40), column));
  return value;
}

MetricsRow parse_row(std::string_view line, const Place& place) {
  std::vector<std::string_view> cells;
  for (std::size_t begin = 0;;) {
    const std::size_t comma = line.find(',', begin);
    cells.push_back(line.substr(begin, comma - begin));
    if (comma == std::string_view::npos) break;
    begin = comma + 1;
  }
  if (cells.size() != fields.size() + 2)
    place.fail(fmt::format("{} fields, expected {}", cells.size(), fields.size() + 2));
  MetricsRow row;
  row.fold = parse<int>(cells[0], "fold", place);
  row.epoch = parse<int>(cells[1], "epoch", place);
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (!cells[i + 2].empty()) row.*fields[i].member = parse<double>(cells[i + 2], fields[i].name, place);
  return row;
}

/// A metrics.csv as it lies on the disk: its whole lines, and the number of the last one if that is cut off.
struct Content {
  std::vector<MetricsRow> rows;
  std::optional<std::size_t> torn;
};

[[noreturn]] void fail_header(const fs::path& path) {
  Place{path, 1}.fail("the header is not that of a metrics file", fmt::format("it should be {}", metrics_header));
}

Content read_content(const fs::path& path) {
  const std::string text = read_file(path);
  Content content;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const Place place{path, ++number};
    const std::size_t end = text.find('\n', begin);
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end == std::string::npos ? text.size() : end + 1;
    // An editor on another system may have saved the file.
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1 && line != metrics_header) fail_header(path);
    if (end == std::string::npos) content.torn = number;
    if (number == 1 || content.torn) continue;
    const MetricsRow row = parse_row(line, place);
    if (!content.rows.empty() && key(row) <= key(content.rows.back()))
      place.fail(fmt::format("fold {}, epoch {} does not come after fold {}, epoch {}", row.fold, row.epoch,
                             content.rows.back().fold, content.rows.back().epoch));
    content.rows.push_back(row);
  }
  if (number == 0) fail_header(path);
  return content;
}

}  // namespace

std::string csv_line(const MetricsRow& row) {
  std::string out = fmt::format("{},{}", row.fold, row.epoch);
  for (const Field& field : fields) {
    const double value = row.*field.member;
    out += ',';
    if (!std::isnan(value)) out += fmt::format("{}", value);
  }
  return out;
}

std::string json_line(const MetricsRow& row) {
  std::string out = fmt::format("{{\"fold\":{},\"epoch\":{}", row.fold, row.epoch);
  for (const Field& field : fields) {
    const double value = row.*field.member;
    out += fmt::format(",\"{}\":{}", field.name, std::isfinite(value) ? fmt::format("{}", value) : "null");
  }
  return out + "}";
}

std::vector<MetricsRow> read_metrics(const fs::path& csv) {
  Content content = read_content(csv);
  if (content.torn) Place{csv, *content.torn}.fail("the line is cut off", "every line ends with a line break");
  return std::move(content.rows);
}

MetricsLog::MetricsLog(fs::path csv, fs::path jsonl) : csv_(std::move(csv)), jsonl_(std::move(jsonl)) {
  replace_files();
}

MetricsLog::MetricsLog(fs::path csv, fs::path jsonl, Position last) : csv_(std::move(csv)), jsonl_(std::move(jsonl)) {
  if (fs::exists(csv_.path())) {
    Content content = read_content(csv_.path());
    const std::pair kept{last.fold, last.epoch};
    // Rows ascend: behind the last kept epoch or a later one, a torn line can only be of an epoch that is dropped.
    const bool reaches = !content.rows.empty() && key(content.rows.back()) >= kept;
    if (content.torn && !reaches)
      Place{csv_.path(), *content.torn}.fail(
          fmt::format("the line is cut off, and the run resumes after fold {}, epoch {}, so it may be needed",
                      last.fold, last.epoch),
          "complete the line or start the run afresh");
    for (const MetricsRow& row : content.rows)
      if (key(row) <= kept) rows_.push_back(row);
  }
  replace_files();
}

void MetricsLog::append(const MetricsRow& row) {
  if (!rows_.empty() && key(row) <= key(rows_.back()))
    throw StateError({.op = "MetricsLog::append",
                      .argument = "row",
                      .got = fmt::format("fold {}, epoch {}", row.fold, row.epoch),
                      .expected = fmt::format("one after fold {}, epoch {}", rows_.back().fold, rows_.back().epoch),
                      .hint = {}});
  csv_.add(csv_line(row) + "\n");
  try {
    jsonl_.add(json_line(row) + "\n");
  } catch (...) {
    csv_.take_back();
    throw;
  }
  rows_.push_back(row);
}

void MetricsLog::sync() {
  csv_.sync();
  jsonl_.sync();
}

void MetricsLog::replace_files() {
  std::string csv(metrics_header), jsonl;
  csv += '\n';
  for (const MetricsRow& row : rows_) {
    csv += csv_line(row) + "\n";
    jsonl += json_line(row) + "\n";
  }
  // The csv last: it is the one that a resumed run reads.
  write_atomically(jsonl_.path(), jsonl);
  write_atomically(csv_.path(), csv);
  csv_.open();
  jsonl_.open();
}

MetricsLog::Output::~Output() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MetricsLog::Output::open() {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) throw FileError(path_.string(), {}, "cannot append: " + reason(errno));
}

void MetricsLog::Output::add(const std::string& line) {
  size_before_ = ::lseek(descriptor_, 0, SEEK_END);
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t done = ::write(descriptor_, line.data() + written, line.size() - written);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      const int code = errno;
      take_back();
      throw FileError(path_.string(), {}, "cannot append: " + reason(code),
                      code == ENOSPC || code == EDQUOT ? "free some space, then resume the run" : "");
    }
    written += static_cast<std::size_t>(done);
  }
}

void MetricsLog::Output::take_back() noexcept {
  // Called while a failure is on its way out, which is the one to report; a half line that stays is found on resume.
  if (size_before_ >= 0 && ::ftruncate(descriptor_, size_before_) == 0) size_before_ = -1;
}

void MetricsLog::Output::sync() {
  if (::fsync(descriptor_) != 0) throw FileError(path_.string(), {}, "cannot flush to the disk: " + reason(errno));
}

}  // namespace atto
