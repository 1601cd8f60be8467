#include "graph/splits.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

constexpr std::int64_t kItems = 4;

bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  folder.hold(test::unpack(input));
  return accepts([] {
    for (const Split& split : read_folds(folder.path(), kItems))
      check_split(split, kItems, "a split that was accepted");
  });
}

std::vector<std::string> seeds() {
  return {test::pack({{"test_idx-1.txt", "1\n2\n"},
                      {"train_idx-1.txt", "3\n4\n"},
                      {"test_idx-2.txt", "3\n4\n"},
                      {"train_idx-2.txt", "1\n2\n"}}),
          test::pack({{"s_train.index", "0,1\n2,3\n"}, {"s_val.index", "2\n0\n"}, {"s_test.index", "3\n1\n"}})};
}

}  // namespace

const Target detail::kFolds{.name = "folds", .folder = true, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
