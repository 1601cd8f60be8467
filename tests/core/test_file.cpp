#include <filesystem>
#include <string>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/temporary_folder.hpp"

namespace fs = std::filesystem;

using atto::test::FileSizeLimit;
using atto::test::TemporaryFolder;

TEST_CASE("a file is written whole, replaced whole and read back") {
  TemporaryFolder folder;
  const fs::path path = folder / "data";
  const std::string zeros(200'000, '\0');
  atto::write_atomically(path, "first");
  CHECK(atto::read_file(path) == "first");
  atto::write_atomically(path, zeros + "end");
  CHECK(atto::read_file(path) == zeros + "end");
  atto::write_atomically(path, "");
  CHECK(atto::read_file(path).empty());
  CHECK(folder.entries() == 1);
}

TEST_CASE("the old file stays until commit, and without commit for good") {
  TemporaryFolder folder;
  const fs::path path = folder / "data";
  atto::write_atomically(path, "old");
  {
    atto::AtomicFile file(path);
    file.write("new");
    CHECK(atto::read_file(path) == "old");
  }
  CHECK(atto::read_file(path) == "old");
  CHECK(folder.entries() == 1);
  atto::AtomicFile file(path);
  file.write("new");
  file.commit();
  CHECK(atto::read_file(path) == "new");
  CHECK_THROWS_AS(file.commit(), atto::StateError);
}

TEST_CASE("a failed write names file and reason, keeps the old file and leaves nothing behind") {
  TemporaryFolder folder;
  const fs::path path = folder / "data";
  atto::write_atomically(path, "old");
  SECTION("disk full") {
    std::string message;
    {
      const FileSizeLimit limit(4096);
      try {
        atto::write_atomically(path, std::string(10'000, 'x'));
      } catch (const atto::FileError& error) {
        message = error.what();
      }
    }
    CHECK(message == path.string() + ": cannot write: File too large");
    CHECK(atto::read_file(path) == "old");
  }
  SECTION("a folder stands in the way") {
    fs::remove(path);
    fs::create_directory(path);
    CHECK_THROWS_AS(atto::write_atomically(path, "new"), atto::FileError);
  }
  SECTION("no such folder") {
    const fs::path missing = folder / "none" / "data";
    CHECK_THROWS_WITH(atto::write_atomically(missing, "new"),
                      missing.string() + ": cannot write: No such file or directory (create the folder first)");
  }
  CHECK(folder.entries() == 1);
}

TEST_CASE("reading what is not a file names the reason") {
  TemporaryFolder folder;
  CHECK_THROWS_WITH(atto::read_file(folder.path()), folder.path().string() + ": cannot read: Is a directory");
  const fs::path file = folder / "file";
  atto::write_atomically(file, "x");
  CHECK_THROWS_WITH(atto::read_file(file / "sub"), (file / "sub").string() + ": cannot read: Not a directory");
  const fs::path missing = folder / "none";
  CHECK_THROWS_WITH(atto::read_file(missing), missing.string() + ": cannot read: No such file or directory");
}

TEST_CASE("a file with a hole larger than the memory is refused, not allocated") {
  TemporaryFolder folder;
  const fs::path path = folder / "data";
  atto::write_atomically(path, "x");
  std::error_code error;
  fs::resize_file(path, std::uintmax_t{8} << 40, error);
  if (error) return atto::test::skip("no files of 8 TiB here");
  CHECK_THROWS_WITH(atto::read_file(path),
                    path.string() + ": cannot read: 8796093022208 bytes, more than the memory of this machine");
}
