#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/train/metrics_log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using atto::test::TemporaryFolder;

namespace {

const std::string header = std::string(metrics_header) + "\n";

MetricsRow row(int fold, int epoch) {
  return {.fold = fold,
          .epoch = epoch,
          .seconds = 0.5,
          .train_loss = 1.0 / epoch,
          .train_metric = 0.75,
          .valid_loss = 0.1,
          .valid_metric = 1,
          .test_loss = NAN,
          .test_metric = NAN};
}

bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}
bool same(const MetricsRow& a, const MetricsRow& b) {
  return a.fold == b.fold && a.epoch == b.epoch && same(a.seconds, b.seconds) && same(a.train_loss, b.train_loss) &&
         same(a.train_metric, b.train_metric) && same(a.valid_loss, b.valid_loss) &&
         same(a.valid_metric, b.valid_metric) && same(a.test_loss, b.test_loss) && same(a.test_metric, b.test_metric);
}

struct Files {
  TemporaryFolder folder;
  std::filesystem::path csv = folder / "metrics.csv", jsonl = folder / "metrics.jsonl";
  std::string csv_text() const { return read_file(csv); }
  std::string jsonl_text() const { return read_file(jsonl); }
};

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const FileError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a row as a CSV and a JSON line") {
  MetricsRow r = row(2, 3);
  CHECK(csv_line(r) == "2,3,0.5,0.3333333333333333,0.75,0.1,1,,");
  CHECK(json_line(r) ==
        "{\"fold\":2,\"epoch\":3,\"seconds\":0.5,\"train_loss\":0.3333333333333333,\"train_metric\":0.75,"
        "\"valid_loss\":0.1,\"valid_metric\":1,\"test_loss\":null,\"test_metric\":null}");
  r.train_loss = INFINITY, r.test_loss = -INFINITY;
  CHECK(csv_line(r) == "2,3,0.5,inf,0.75,0.1,1,-inf,");
  CHECK(nlohmann::json::parse(json_line(r)).at("train_loss").is_null());
  CHECK(metrics_header == "fold,epoch,seconds,train_loss,train_metric,valid_loss,valid_metric,test_loss,test_metric");
}

TEST_CASE("rows are on the disk as soon as they are added, in both files") {
  Files files;
  MetricsLog log(files.csv, files.jsonl);
  CHECK(files.csv_text() == header);
  CHECK(files.jsonl_text().empty());
  log.append(row(0, 1));
  CHECK(files.csv_text() == header + csv_line(row(0, 1)) + "\n");
  CHECK(files.jsonl_text() == json_line(row(0, 1)) + "\n");
  log.append(row(0, 2));
  log.append(row(1, 1));
  log.sync();
  CHECK(files.csv_text() ==
        header + csv_line(row(0, 1)) + "\n" + csv_line(row(0, 2)) + "\n" + csv_line(row(1, 1)) + "\n");
  CHECK(log.rows().size() == 3);
  CHECK_THROWS_WITH(log.append(row(1, 1)),
                    "MetricsLog::append: row: got fold 1, epoch 1, expected one after fold 1, epoch 1");
  CHECK_THROWS_AS(log.append(row(0, 9)), StateError);
  CHECK(files.folder.entries() == 2);
}

TEST_CASE("every double comes back as it was, from both files") {
  Files files;
  std::mt19937_64 random(3);
  std::vector<MetricsRow> rows;
  MetricsLog log(files.csv, files.jsonl);
  const auto draw = [&] {
    const auto bits = random();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  };
  for (int epoch = 1; epoch <= 200; ++epoch) {
    rows.push_back({.fold = 0,
                    .epoch = epoch,
                    .seconds = draw(),
                    .train_loss = draw(),
                    .train_metric = draw(),
                    .valid_loss = epoch == 1 ? INFINITY : draw(),
                    .valid_metric = epoch == 1 ? 5e-324 : draw(),
                    .test_loss = draw(),
                    .test_metric = draw()});
    log.append(rows.back());
  }
  const auto read = read_metrics(files.csv);
  REQUIRE(read.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(same(read[i], rows[i]));
  std::istringstream lines(files.jsonl_text());
  std::string line;
  for (std::size_t i = 0; std::getline(lines, line); ++i) {
    const double value = rows[i].train_loss;
    const auto json = nlohmann::json::parse(line);
    CHECK((std::isfinite(value) ? json.at("train_loss").get<double>() == value : json.at("train_loss").is_null()));
  }
}

TEST_CASE("a resumed log is the uninterrupted one") {
  Files whole, resumed;
  MetricsLog expected(whole.csv, whole.jsonl);
  for (const auto& r : {row(0, 1), row(0, 2), row(1, 1), row(1, 2)}) expected.append(r);
  {
    MetricsLog before(resumed.csv, resumed.jsonl);
    for (const auto& r : {row(0, 1), row(0, 2), row(1, 1), row(1, 2), row(1, 3), row(2, 1)}) before.append(r);
  }
  MetricsLog log(resumed.csv, resumed.jsonl, {.fold = 1, .epoch = 1});
  CHECK(log.rows().size() == 3);
  log.append(row(1, 2));
  CHECK(resumed.csv_text() == whole.csv_text());
  CHECK(resumed.jsonl_text() == whole.jsonl_text());
  CHECK(resumed.folder.entries() == 2);
}

TEST_CASE("resuming keeps all, nothing, or starts where there is no file") {
  Files files;
  const auto kept = [&](int fold, int epoch) {
    return MetricsLog(files.csv, files.jsonl, {.fold = fold, .epoch = epoch}).rows().size();
  };
  CHECK(kept(0, 5) == 0);
  CHECK(files.csv_text() == header);
  const auto fill = [&] {
    MetricsLog log(files.csv, files.jsonl);
    for (const auto& r : {row(0, 1), row(0, 2), row(1, 1)}) log.append(r);
  };
  fill();
  CHECK(kept(7, 0) == 3);
  CHECK(kept(0, 9) == 2);
  fill();
  CHECK(kept(1, 0) == 2);
  CHECK(kept(0, 0) == 0);
  // The jsonl is made from the csv, whatever became of it.
  fill();
  std::filesystem::remove(files.jsonl);
  CHECK(kept(0, 1) == 1);
  CHECK(files.jsonl_text() == json_line(row(0, 1)) + "\n");
}

TEST_CASE("a line that a crash cut off is dropped, unless the run needs it") {
  Files files;
  const std::string two = header + csv_line(row(0, 1)) + "\n" + csv_line(row(0, 2)) + "\n";
  write_atomically(files.csv, two + "0,3,0.5,0.3");
  CHECK(message_of([&] { MetricsLog(files.csv, files.jsonl, {.fold = 0, .epoch = 3}); }) ==
        files.csv.string() +
            ": line 4: the line is cut off, and the run resumes after fold 0, epoch 3, so it may be needed "
            "(complete the line or start the run afresh)");
  CHECK(files.csv_text() == two + "0,3,0.5,0.3");
  CHECK(message_of([&] { read_metrics(files.csv); }) ==
        files.csv.string() + ": line 4: the line is cut off (every line ends with a line break)");
  CHECK(MetricsLog(files.csv, files.jsonl, {.fold = 0, .epoch = 2}).rows().size() == 2);
  CHECK(files.csv_text() == two);
}

TEST_CASE("a malformed file is refused with its line and stays as it is") {
  Files files;
  const std::string good = csv_line(row(0, 1)) + "\n";
  const auto refused = [&](const std::string& text) {
    write_atomically(files.csv, text);
    const std::string reading = message_of([&] { read_metrics(files.csv); });
    const std::string resuming = message_of([&] { MetricsLog(files.csv, files.jsonl, {.fold = 9, .epoch = 9}); });
    CHECK(reading == resuming);
    CHECK(files.csv_text() == text);
    const std::string prefix = files.csv.string() + ": ";
    return reading.starts_with(prefix) ? reading.substr(prefix.size()) : reading;
  };
  CHECK(
      refused("epoch,loss\n1,2\n").starts_with("line 1: the header is not that of a metrics file (it should be fold,"));
  CHECK(refused("fold,epo").starts_with("line 1: the header"));
  CHECK(refused("").starts_with("line 1: the header"));
  CHECK(refused(header + good + "0,2,1\n") == "line 3: 3 fields, expected 9");
  CHECK(refused(header + "\n") == "line 2: 1 fields, expected 9");
  CHECK(refused(header + "0,1,1,x,,,,,\n") == "line 2: \"x\" in column train_loss is no number");
  CHECK(refused(header + "0,1,1,1 ,,,,,\n") == "line 2: \"1 \" in column train_loss is no number");
  CHECK(refused(header + "0,1,1,nan,,,,,\n") == "line 2: \"nan\" in column train_loss is no number");
  CHECK(refused(header + ",1,1,1,,,,,\n") == "line 2: \"\" in column fold is no number");
  CHECK(refused(header + "0,1.5,1,1,,,,,\n") == "line 2: \"1.5\" in column epoch is no number");
  CHECK(refused(header + "99999999999,1,1,1,,,,,\n") == "line 2: \"99999999999\" in column fold is no number");
  CHECK(refused(header + good + good) == "line 3: fold 0, epoch 1 does not come after fold 0, epoch 1");
  CHECK_FALSE(std::filesystem::exists(files.jsonl));
  CHECK(message_of([&] { read_metrics(files.folder / "none.csv"); }).find("No such file") != std::string::npos);
}

TEST_CASE("a file with the line ends of another system is read") {
  Files files;
  write_atomically(files.csv, std::string(metrics_header) + "\r\n" + csv_line(row(0, 1)) + "\r\n");
  CHECK(read_metrics(files.csv).size() == 1);
}

TEST_CASE("on a full disk no part of a line stays, and the log can go on") {
  Files files;
  MetricsLog log(files.csv, files.jsonl);
  for (int epoch = 1; epoch <= 20; ++epoch) log.append(row(0, epoch));
  const std::string csv = files.csv_text(), jsonl = files.jsonl_text();
  REQUIRE(jsonl.size() > csv.size());
  std::string message;
  {
    // The jsonl is the longer one: its line is cut, that of the csv has been written.
    const test::FileSizeLimit limit(jsonl.size() + 10);
    message = message_of([&] { log.append(row(0, 21)); });
  }
  CHECK(message == files.jsonl.string() + ": cannot append: File too large");
  CHECK(files.csv_text() == csv);
  CHECK(files.jsonl_text() == jsonl);
  CHECK(log.rows().size() == 20);
  log.append(row(0, 21));
  CHECK(read_metrics(files.csv).size() == 21);
  CHECK(files.jsonl_text() == jsonl + json_line(row(0, 21)) + "\n");
}
