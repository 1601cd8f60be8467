// A checkpoint that is killed while it is saved: afterwards the old file is there or the new one, whole.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "core/file.hpp"
#include "core/random.hpp"
#include "nn/checkpoint.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/killed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;

namespace {

// A run whose every number is the number of its epoch.
struct Counted {
  explicit Counted(std::int64_t width)
      : weight(model.scope().parameter("w", {width, 1000}, init::zeros())), optimiser(model, {}) {
    set(0);
  }

  void set(std::int64_t number) {
    epoch = number;
    for (const NamedTensor& tensor : optimiser.state()) tensor.value.fill(static_cast<double>(number));
    weight.value().fill(static_cast<double>(number));
  }
  RunState state() const { return {.model = model, .optimiser = &optimiser}; }
  void save(const std::filesystem::path& path) const { save_checkpoint(path, state(), {.epoch = epoch}); }
  // The number of the epoch in a file that is whole; errors are thrown.
  std::int64_t load(const std::filesystem::path& path) {
    epoch = load_checkpoint(path, state()).position.epoch;
    const auto values = weight.value().values<float>();
    REQUIRE(std::ranges::all_of(values, [&](float value) { return value == static_cast<float>(epoch); }));
    return epoch;
  }

  Model model;
  Parameter weight;
  Adam optimiser;
  std::int64_t epoch = 0;
};

}  // namespace

TEST_CASE("a save that is killed at any of its system calls leaves the old checkpoint or the new one") {
  const test::TemporaryFolder folder;
  const auto path = folder / "checkpoint";
  Counted run(1), found(1);
  bool is_new = false;
  int stops = 0, old_files = 0;
  for (bool killed = true; killed; ++stops) {
    run.set(1);
    run.save(path);
    run.set(2);
    const std::optional<bool> result = test::kill_at_stop(stops, [&] { run.save(path); });
    if (!result && stops == 0) return test::skip("processes may not be watched here");
    REQUIRE(result);
    killed = *result;
    const std::int64_t epoch = found.load(path);
    REQUIRE((epoch == 1 || epoch == 2));
    REQUIRE((epoch == 2 || !is_new));  // the file changes at one call
    is_new = epoch == 2;
    old_files += epoch == 1 ? 1 : 0;
  }
  CHECK(is_new);
  CHECK(old_files > 10);
  CHECK(stops > old_files + 4);  // the folder is flushed after the file has been replaced
}

TEST_CASE("the test above sees a save that overwrites its file") {
  const test::TemporaryFolder folder;
  const auto path = folder / "checkpoint", copy = folder / "copy";
  Counted run(1);
  run.save(path);
  const std::string content = read_file(path);
  int broken = 0;
  for (int stop = 0; stop < 200; ++stop) {
    run.save(copy);
    const std::optional<bool> killed =
        test::kill_at_stop(stop, [&] { std::ofstream(copy, std::ios::binary) << content; });
    if (!killed && stop == 0) return test::skip("processes may not be watched here");
    broken += read_file(copy) != content ? 1 : 0;
    if (!*killed) break;
  }
  CHECK(broken > 0);
}

TEST_CASE("a run that is killed at random points of its saves keeps a whole checkpoint", "[slow]") {
  const int points = std::getenv("ATTO_FULL") ? 1000 : 100;
  const test::TemporaryFolder folder;
  const auto path = folder / "checkpoint";
  Counted run(200), found(200);
  run.save(path);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) run.save(path);
  const std::chrono::nanoseconds one_save = (std::chrono::steady_clock::now() - start) / 5;

  Generator random(1);
  std::int64_t last = 0, saved = 0, torn = 0;
  for (int point = 0; point < points; ++point) {
    const std::chrono::nanoseconds delay(
        static_cast<std::int64_t>(random.uniform(0, 2.0 * static_cast<double>(one_save.count()))));
    REQUIRE(test::kill_after(delay, [&] {
      run.set(run.epoch + 1);
      run.save(path);
    }));
    const std::int64_t epoch = found.load(path);
    REQUIRE(epoch >= last);
    saved += epoch - last;
    last = epoch;
    run.set(epoch);
    // A killed save leaves its temporary file: that says how many were hit in the middle.
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.path() != path) {
        ++torn;
        std::filesystem::remove(entry.path());
      }
  }
  INFO(points << " points, " << torn << " inside a save, " << saved << " saves that ended");
  CHECK(torn > points / 4);
  CHECK(saved > points / 10);
}

TEST_CASE("a save that the disk has no room for leaves the old checkpoint, wherever it stops") {
  const test::TemporaryFolder folder;
  const auto path = folder / "checkpoint";
  Counted run(1);
  run.save(path);
  const std::string before = read_file(path);
  run.set(2);
  int failed = 0;
  for (std::size_t room = 0; room <= before.size(); room += room < 1000 ? 41 : 997, ++failed) {
    const test::FileSizeLimit limit(room);
    CHECK_THAT_SAYS(FileError, run.save(path), "cannot write: File too large");
    REQUIRE(read_file(path) == before);
    REQUIRE(folder.entries() == 1);
  }
  CHECK(failed > 20);
  run.save(path);
  CHECK(read_file(path) != before);
}
