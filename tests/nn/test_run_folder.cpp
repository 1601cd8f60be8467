#include <fstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/train/run_folder.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using atto::test::TemporaryFolder;
namespace fs = std::filesystem;

TEST_CASE("a run folder is created with its parents and names its files") {
  TemporaryFolder temporary;
  const fs::path path = temporary / "runs" / "first";
  const RunFolder folder = RunFolder::create(path);
  CHECK(fs::is_directory(path));
  CHECK(folder.path() == path);
  CHECK(folder.metrics_csv() == path / "metrics.csv");
  CHECK(folder.metrics_jsonl() == path / "metrics.jsonl");
  CHECK(folder.config() == path / "config.json");
  CHECK(folder.summary() == path / "summary.json");
  CHECK(folder.model() == path / "model.safetensors");
  CHECK(folder.checkpoint() == path / "checkpoint.safetensors");
  CHECK(folder.plots() == path / "plots");
}

TEST_CASE("a new run in the folder of an earlier one removes that run's files and nothing else") {
  TemporaryFolder temporary;
  const RunFolder folder = RunFolder::create(temporary.path());  // empty: welcome
  fs::create_directory(folder.plots());
  for (const fs::path& file : {folder.metrics_csv(), folder.metrics_jsonl(), folder.config(), folder.summary(),
                               folder.model(), folder.checkpoint(), folder.report(), folder.plots() / "loss.svg",
                               folder.plots() / "mine.png", temporary / "notes.txt"})
    write_atomically(file, "x");
  RunFolder::create(temporary.path());
  CHECK(fs::exists(temporary / "notes.txt"));
  CHECK(fs::exists(folder.plots() / "mine.png"));
  CHECK_FALSE(fs::exists(folder.plots() / "loss.svg"));
  CHECK(temporary.entries() == 3);  // the marker, notes.txt, plots
}

TEST_CASE("a folder that is not a run folder is left alone") {
  TemporaryFolder temporary;
  write_atomically(temporary / "config.json", "of somebody else");
  CHECK_THROWS_WITH(RunFolder::create(temporary.path()),
                    temporary.path().string() +
                        ": the folder is not empty and not that of an earlier run (choose a new or an empty output "
                        "folder, or resume the run that lies there)");
  CHECK(read_file(temporary / "config.json") == "of somebody else");
  CHECK(temporary.entries() == 1);
}

TEST_CASE("a folder that cannot be made is an error with its reason") {
  TemporaryFolder temporary;
  write_atomically(temporary / "file", "x");
  CHECK_THROWS_WITH(RunFolder::create(temporary / "file"),
                    (temporary / "file").string() + ": is a file, a folder is needed (choose another output folder)");
  CHECK_THROWS_WITH(RunFolder::create(temporary / "file" / "run"),
                    (temporary / "file" / "run").string() +
                        ": cannot create the folder: Not a directory (choose another output folder)");
  CHECK_THROWS_WITH(RunFolder::create(""), "output folder: its name is empty (for example runs/first)");
}

TEST_CASE("a run is resumed where its checkpoint lies, and nothing is touched") {
  TemporaryFolder temporary;
  const std::string name = temporary.path().string();
  CHECK_THROWS_WITH(RunFolder::resume(temporary / "none"),
                    (temporary / "none").string() + ": there is no such folder to resume (start a new run instead)");
  CHECK_THROWS_WITH(
      RunFolder::resume(temporary.path()),
      name + ": the folder holds no checkpoint.safetensors, so there is nothing to resume (start a new run instead)");
  write_atomically(temporary / "checkpoint.safetensors", "c");
  write_atomically(temporary / "metrics.csv", "m");
  // Also without the marker, which a copy of the folder may have lost.
  CHECK(RunFolder::resume(temporary.path()).checkpoint() == temporary / "checkpoint.safetensors");
  CHECK(temporary.entries() == 2);
}

TEST_CASE("what a killed run left unfinished is removed, and nothing else") {
  TemporaryFolder temporary;
  write_atomically(temporary / "checkpoint.safetensors", "c");
  std::ofstream(temporary / ".checkpoint.safetensors.tmp.123.1") << "half";
  std::ofstream(temporary / ".hidden") << "of somebody else";
  RunFolder::resume(temporary.path());
  CHECK(fs::exists(temporary / "checkpoint.safetensors"));
  CHECK(fs::exists(temporary / ".hidden"));
  CHECK(temporary.entries() == 2);
}
