// Folders and files that cannot be looked at: the project's error with path and reason, from every reader.

#include <fstream>

#include "graph/folder.hpp"
#include "graph/readers.hpp"
#include "graph/splits.hpp"
#include "graph/text_file.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;

namespace {

namespace fs = std::filesystem;

void touch(const fs::path& path) {
  std::ofstream(path) << "1\n";
}

// A link to itself: there is something, but what it is nobody can say, not even root.
void tie_knot(const fs::path& path) {
  fs::create_symlink(path.filename(), path);
}

void read_one(const char* reader, const fs::path& folder) {
  const std::string name = reader;
  if (name == "dataset") read_dataset(folder);
  if (name == "tu") read_tu(folder);
  if (name == "cora") read_cora(folder);
  if (name == "aqsol") read_aqsol(folder);
  if (name == "folds") read_folds(folder, 5);
}

constexpr const char* kReaders[] = {"dataset", "tu", "cora", "aqsol", "folds"};

}  // namespace

TEST_CASE("A folder that is none is refused by every reader", "[graph]") {
  const test::TemporaryFolder folder;
  touch(folder / "file");
  for (const char* reader : kReaders) {
    INFO(reader);
    for (const fs::path& path : {folder / "missing", folder / "file", folder / "file" / "sub"}) {
      CHECK_THAT_SAYS(FileError, read_one(reader, path), path.string());
      if (reader != std::string("cora")) CHECK_THAT_SAYS(FileError, read_one(reader, path), "not a folder");
    }
    CHECK_THAT_SAYS(FileError, read_one(reader, folder / std::string(300, 'x')), "File name too long");
    CHECK_THAT_SAYS(FileError, read_one(reader, folder / std::string(300, 'x')), "xxx");
  }
}

TEST_CASE("A file that cannot be looked at is not taken for absent", "[graph]") {
  const auto says = [](const char* reader, const char* file) {
    const test::TemporaryFolder folder;
    touch(folder / "NAME_A.txt");
    touch(folder / "NAME_train.index");
    tie_knot(folder / file);
    INFO(reader << ", " << file);
    CHECK_THAT_SAYS(FileError, read_one(reader, folder.path()),
                    (folder / file).string() + ": cannot look: Too many levels of symbolic links");
  };
  says("dataset", "edges.txt");
  says("dataset", "test.txt");
  says("aqsol", "val.txt");
  says("tu", "NAME_graph_labels.txt");
  says("folds", "test_idx-1.txt");
}

TEST_CASE("A name that leaves no room for the names of the other files is an error of the file", "[graph]") {
  const test::TemporaryFolder folder;
  touch(folder / (std::string(249, 'n') + "_A.txt"));
  CHECK_THAT_SAYS(FileError, read_dataset(folder.path()), "nnn_graph_labels.txt: cannot look: File name too long");
}

TEST_CASE("The names in a folder come in order, and a folder that cannot be listed is an error", "[graph]") {
  const test::TemporaryFolder folder;
  for (const char* name : {"b_A.txt", "a_A.txt", "c_B.txt"}) touch(folder / name);
  CHECK(names_ending(folder.path(), "_A.txt") == std::vector<std::string>{"a_A.txt", "b_A.txt"});
  CHECK_THAT_SAYS(FileError, read_tu(folder.path()), "two data sets: a_A.txt and b_A.txt");
  CHECK_THAT_SAYS(FileError, names_ending(folder / "a_A.txt", "x"), "a_A.txt: cannot list the folder: Not a directory");
  CHECK_THAT_SAYS(FileError, names_ending(folder / "missing", "x"), "missing: cannot list the folder: No such file");
}
