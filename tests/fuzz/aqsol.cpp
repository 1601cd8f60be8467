#include "graph/readers.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

// Through read_dataset, which looks for the form first.
bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  folder.hold(test::unpack(input));
  return accepts([] { read_dataset(folder.path()).check(); });
}

std::vector<std::string> seeds() {
  return {test::pack({{"train.txt", "3 4 -1.5\n0 2 1\n0 1 1 1 0 1 1 2 2 2 1 2\n1 0 0.25\n3\n\n"},
                      {"test.txt", "0 0 2\n\n\n"}}),
          test::pack({{"val.txt", "2 1 1e-3\n0 0\n0 1 0\n"}})};
}

}  // namespace

const Target detail::kAqSol{.name = "aqsol", .folder = true, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
