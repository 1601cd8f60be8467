#include <cmath>
#include <fstream>
#include <sstream>

#include "core/file.hpp"
#include "nn/report/utf8.hpp"
#include "nn/train/progress.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;

namespace {

MetricsRow row(int fold, int epoch) {
  return {.fold = fold,
          .epoch = epoch,
          .seconds = 0.5,
          .train_loss = 0.6931,
          .train_metric = 0.5,
          .valid_loss = 0.7,
          .valid_metric = 0.85};
}

/// A clock that the test sets.
struct Time {
  double now = 100;
  std::function<double()> clock() {
    return [this] { return now; };
  }
};

}  // namespace

TEST_CASE("without a terminal there is one plain line per epoch") {
  std::ostringstream out;
  Time time;
  {
    Progress progress(out, {.epochs = 10, .metric = "accuracy", .clock = time.clock()});
    time.now += 1;
    progress.batch(0, 1, 1, 2, 0.8);
    CHECK(out.str().empty());
    time.now += 1;
    progress.epoch(row(0, 1));
    MetricsRow second = row(0, 2);
    second.valid_loss = second.valid_metric = NAN;
    second.test_loss = 0.25;
    time.now += 2;
    progress.epoch(second);
    progress.note("stopped early");
    time.now += 16;
    progress.epoch({.epoch = 10});
  }
  CHECK(out.str() ==
        "epoch  1/10  loss / accuracy:  train 0.6931 / 0.5000  valid 0.7000 / 0.8500  500 ms  ETA 18.0 s\n"
        "epoch  2/10  loss / accuracy:  train 0.6931 / 0.5000  test 0.2500 / -  500 ms  ETA 16.0 s\n"
        "stopped early\n"
        "epoch 10/10  loss / accuracy:  done in 20.0 s\n");
}

TEST_CASE("a resumed run estimates from what it did itself, over all folds") {
  std::ostringstream out;
  Time time;
  Progress progress(out, {.folds = 10, .epochs = 20, .clock = time.clock()});
  time.now += 3;
  progress.epoch({.fold = 8, .epoch = 11});
  // 180 epochs are behind the run, 170 of them from before; one took 3 s, 29 are left.
  CHECK(out.str() == "fold  9/10  epoch 11/20  loss / metric:  ETA 1 min 27 s\n");
}

TEST_CASE("a live line rewrites itself and ends with one line break") {
  std::ostringstream out;
  Time time;
  {
    Progress progress(out, {.epochs = 4, .metric = "accuracy", .live = true, .columns = 100, .clock = time.clock()});
    time.now += 1;
    progress.batch(0, 1, 1, 2, 0.8);
    time.now += 0.05;
    progress.batch(0, 1, 2, 2, 0.7);  // too soon to be drawn
    time.now += 0.95;
    progress.epoch(row(0, 1));
    time.now += 1;
    progress.batch(0, 2, 1, 2, NAN);
  }
  CHECK(out.str() ==
        "\repoch 1/4  [==              ]  batch 1/2  loss 0.8000  ETA 7.00 s\x1b[K"
        "\repoch 1/4  [====            ]  loss 0.6931  valid accuracy 0.8500  ETA 6.00 s\x1b[K"
        "\repoch 2/4  [======          ]  batch 1/2  loss nan  valid accuracy 0.8500  ETA 5.00 s\x1b[K"
        "\n");
}

TEST_CASE("the metric of one fold is not shown for the next") {
  std::ostringstream out;
  Time time;
  Progress progress(out, {.folds = 2, .epochs = 1, .live = true, .columns = 100, .clock = time.clock()});
  progress.epoch(row(0, 1));
  CHECK(out.str().find("valid metric 0.8500") != std::string::npos);
  out.str("");
  time.now += 1;
  progress.batch(1, 1, 1, 2, 0.5);
  CHECK(out.str() == "\rfold 2/2  epoch 1/1  [============    ]  batch 1/2  loss 0.5000  ETA 333 ms\x1b[K");
}

TEST_CASE("a note clears the live line, which then starts again below") {
  std::ostringstream out;
  Time time;
  Progress progress(out, {.live = true, .clock = time.clock()});
  progress.batch(0, 1, 1, 2, 1);
  out.str("");
  progress.note("hello");
  CHECK(out.str() == "\r\x1b[Khello\n");
  progress.batch(0, 1, 2, 2, 1);
  CHECK(out.str().starts_with("\r\x1b[Khello\n\repoch 1/1"));
  progress.finish();
  const std::string finished = out.str();
  CHECK(finished.ends_with("\n"));
  progress.finish();
  CHECK(out.str() == finished);
}

TEST_CASE("a live line never reaches the last column, and a narrow terminal keeps what matters most") {
  Time time;
  for (int columns = 1; columns < 120; ++columns) {
    std::ostringstream out;
    Progress progress(
        out,
        {.folds = 10, .epochs = 100, .metric = "accuracy", .live = true, .columns = columns, .clock = time.clock()});
    progress.epoch(row(8, 99));
    out.str("");
    time.now += 5;
    progress.batch(8, 100, 17, 120, 0.1234);
    std::string line = out.str();
    REQUIRE(line.starts_with("\r"));
    REQUIRE(line.ends_with("\x1b[K"));
    line = line.substr(1, line.size() - 4);
    CHECK(report::display_columns(line) <= static_cast<std::size_t>(std::max(columns - 1, 1)));
    if (columns == 80) CHECK(line == "fold  9/10  epoch 100/100  17/120  loss 0.1234  valid 0.8500  ETA 7 min 22 s");
  }
}

TEST_CASE("output to a FILE is plain where it is no terminal, and failures stay silent") {
  test::TemporaryFolder folder;
  const auto path = folder / "log";
  std::FILE* file = std::fopen(path.c_str(), "w");
  {
    Progress progress(file, {.epochs = 2});
    progress.batch(0, 1, 1, 1, 0.5);
    progress.epoch(row(0, 1));
  }
  std::fclose(file);
  const std::string text = read_file(path);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.find('\r') == std::string::npos);
  CHECK(text.starts_with("epoch 1/2  loss / metric:  train 0.6931"));

  if (std::FILE* full = std::fopen("/dev/full", "w")) {
    Progress(full, {}).epoch(row(0, 1));
    CHECK(std::ferror(full));
    std::fclose(full);
  }
  std::ofstream closed;
  closed.exceptions(std::ios::failbit | std::ios::badbit);
  Progress progress(closed, {});
  progress.epoch(row(0, 1));
  progress.note("n");
  Progress broken(closed, {.clock = [first = true]() mutable -> double {
                    if (!std::exchange(first, false)) throw std::runtime_error("clock");
                    return 0;
                  }});
  broken.epoch(row(0, 1));
  CHECK_FALSE(closed.is_open());
}
