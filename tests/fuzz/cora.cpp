#include "graph/readers.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  folder.hold(test::unpack(input));
  return accepts([] { read_cora(folder.path()).check(); });
}

std::vector<std::string> seeds() {
  return {test::pack({{"labels.txt", "0\n2\n1\n"},
                      {"edges.txt", "0 1\n1 2\n2 2\n"},
                      {"features_sparse.txt", "3 4\n0 3\n\n1\n"},
                      {"split.txt", "train 0\nval 1\ntest 2\n"}})};
}

}  // namespace

const Target detail::kCora{.name = "cora", .folder = true, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
