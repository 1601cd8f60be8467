#include "core/error.hpp"

#include "tests/support/catch.hpp"

namespace atto::test {

TEST_CASE("error: the parts make one sentence, empty ones are left out") {
  const ShapeError whole({.op = "matmul", .argument = "b", .got = "[3]", .expected = "[K,N]", .hint = "reshape it"});
  CHECK(std::string(whole.what()) == "matmul: b: got [3], expected [K,N] (reshape it)");
  CHECK(whole.text().argument == "b");
  CHECK(std::string(Error({.op = "f", .argument = {}, .got = "1", .expected = {}, .hint = {}}).what()) == "f: got 1");
  CHECK(std::string(Error({.op = {}, .argument = {}, .got = "1", .expected = "2", .hint = {}}).what()) ==
        "got 1, expected 2");
}

TEST_CASE("error: files are named with the place") {
  const FileError error("data/A.txt", "line 12", "not a number", "check the separator");
  CHECK(std::string(error.what()) == "data/A.txt: line 12: not a number (check the separator)");
  CHECK(error.path() == "data/A.txt");
  CHECK(error.place() == "line 12");
  CHECK(std::string(FileError("x", "", "is empty").what()) == "x: is empty");
  CHECK_THROWS_AS(throw FileError("x", "", "is empty"), Error);
}

}  // namespace atto::test
