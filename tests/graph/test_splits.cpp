#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "graph/readers.hpp"
#include "graph/splits.hpp"
#include "tests/graph/hostile_files.hpp"
#include "tests/support/data.hpp"
#include "tests/support/errors.hpp"

using namespace atto;

namespace {

using Items = std::vector<std::int64_t>;

Items random_labels(std::int64_t count, std::int64_t classes) {
  Generator random(12);
  Items labels;
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(std::min(random.below(classes), random.below(classes)));
  return labels;
}

Items all_of(const Split& split) {
  Items all = split.train;
  all.insert(all.end(), split.valid.begin(), split.valid.end());
  all.insert(all.end(), split.test.begin(), split.test.end());
  std::ranges::sort(all);
  return all;
}

Items numbers(std::int64_t count) {
  Items items(static_cast<std::size_t>(count));
  std::iota(items.begin(), items.end(), 0);
  return items;
}

// The part holds each class of `whole` in proportion, to within one.
void check_stratified(const Items& part, const Items& whole, const Items& labels) {
  std::map<std::int64_t, double> in_part, in_whole;
  for (const std::int64_t item : part) ++in_part[labels[item]];
  for (const std::int64_t item : whole) ++in_whole[labels[item]];
  for (const auto& [label, members] : in_whole)
    CHECK(std::abs(in_part[label] - members * static_cast<double>(part.size()) / static_cast<double>(whole.size())) <=
          1.0001);
}

}  // namespace

TEST_CASE("A random split covers all items, stratified, the same for the same seed", "[graph]") {
  for (const std::int64_t count : {0, 1, 7, 188, 1113, 4110}) {
    const Items labels = random_labels(count, 4);
    const Split split = random_split(count, labels, {.seed = 3});
    CHECK(all_of(split) == numbers(count));
    CHECK_NOTHROW(check_split(split, count, "split"));
    for (const Items* part : {&split.train, &split.valid, &split.test}) {
      CHECK(std::ranges::is_sorted(*part));
      check_stratified(*part, numbers(count), labels);
    }
    CHECK(random_split(count, labels, {.seed = 3}).train == split.train);
    if (count > 100) {
      CHECK(random_split(count, labels, {.seed = 4}).train != split.train);
      CHECK(all_of(random_split(count, {}, {.seed = 4})) == numbers(count));
    }
  }
  const auto sizes = [](std::int64_t count) {
    const Split split = random_split(count, {});
    return Items{std::ssize(split.train), std::ssize(split.valid), std::ssize(split.test)};
  };
  CHECK(sizes(4110) == Items{3288, 411, 411});
  CHECK(sizes(1113) == Items{890, 111, 112});
  CHECK(sizes(188) == Items{150, 18, 20});
  CHECK(sizes(10) == Items{8, 1, 1});
  CHECK(random_split(100, {}, {.train = .29}).train.size() == 29);  // .29 * 100 is a little less than 29
  CHECK_THROWS_AS(random_split(10, Items{1}), ValueError);
  CHECK_THROWS_AS(random_split(10, {}, {.train = .9, .valid = .2}), ValueError);
  CHECK_THROWS_AS(random_split(10, {}, {.train = -.1}), ValueError);
  CHECK_THROWS_AS(random_split(10, {}, {.train = std::nan("")}), ValueError);
}

TEST_CASE("Many small classes beside a large one stay in proportion", "[graph]") {
  Items labels(1100, 0);
  for (std::int64_t i = 0; i < 100; ++i) labels[11 * i] = 1 + i;
  for (const double train : {.1, .3, .5, .7}) {
    const Split split = random_split(1100, labels, {.train = train, .valid = .2, .seed = 3});
    check_stratified(split.train, numbers(1100), labels);
    check_stratified(split.valid, numbers(1100), labels);
  }
  CHECK(random_split(1100, labels, {.seed = 4}).train != random_split(1100, labels, {.seed = 5}).train);
}

TEST_CASE("A split does not change from release to release", "[graph]") {
  CHECK(random_split(10, Items{0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, {.train = .6, .valid = .2, .seed = 1}).train ==
        Items{0, 1, 2, 5, 6, 8});
}

TEST_CASE("Folds partition the items and are balanced", "[graph]") {
  for (const std::int64_t folds : {2, 5, 10}) {
    const std::int64_t count = 188;
    const Items labels = random_labels(count, 3);
    const std::vector<Split> splits = k_fold(count, labels, folds, 7);
    Items tested;
    for (const Split& split : splits) {
      CHECK(all_of(split) == numbers(count));
      CHECK(split.valid.empty());
      check_stratified(split.test, numbers(count), labels);
      CHECK(std::abs(std::ssize(split.test) * folds - count) < folds);
      tested.insert(tested.end(), split.test.begin(), split.test.end());
    }
    std::ranges::sort(tested);
    CHECK(tested == numbers(count));
  }
  CHECK(k_fold(20, {}, 10, 1)[0].test != k_fold(20, {}, 10, 2)[0].test);
  CHECK_THROWS_AS(k_fold(5, {}, 6), ValueError);
  CHECK_THROWS_AS(k_fold(5, {}, 1), ValueError);
}

TEST_CASE("Validation is cut from the training part, stratified", "[graph]") {
  const Items labels = random_labels(300, 3);
  const Split fold = k_fold(300, labels, 10)[2], cut = with_validation(fold, labels, .1, 5);
  CHECK(cut.valid.size() == 27);
  CHECK(cut.test == fold.test);
  CHECK(all_of(cut) == numbers(300));
  check_stratified(cut.valid, fold.train, labels);
  CHECK_THROWS_AS(with_validation(cut, labels, .1), ValueError);
  CHECK_THROWS_AS(with_validation(fold, labels, 0), ValueError);
  CHECK_THROWS_AS(with_validation(fold, labels, 1), ValueError);
  CHECK(with_validation({.train = {4, 9}, .valid = {}, .test = {}}, {}, .01).valid.size() == 1);
  CHECK(with_validation({.train = {4}, .valid = {}, .test = {}}, {}, .5).valid.empty());
}

TEST_CASE("A smaller part of the training items is inside a larger one", "[graph]") {
  const Items labels = random_labels(300, 3);
  const Split split = random_split(300, labels);
  const Split small = with_train_fraction(split, labels, .05, 2), large = with_train_fraction(split, labels, .1, 2);
  CHECK(small.train.size() == 12);
  CHECK(large.train.size() == 24);
  CHECK(std::ranges::includes(large.train, small.train));
  CHECK(std::ranges::includes(split.train, large.train));
  CHECK(small.test == split.test);
  check_stratified(large.train, split.train, labels);
  CHECK(with_train_fraction(split, labels, 1).train == split.train);
  CHECK(with_train_fraction(split, labels, 1e-9).train.size() == 1);
  CHECK(with_train_fraction({}, {}, .5).train.empty());
  CHECK_THROWS_AS(with_train_fraction(split, labels, 0), ValueError);
  CHECK_THROWS_AS(with_train_fraction(split, labels, 1.1), ValueError);
}

namespace {

const test::FileSet kNumbered{{"test_idx-1.txt", "0\n3\n"},
                              {"train_idx-1.txt", "1\n2\n4\n"},
                              {"test_idx-2.txt", "1\n2\n4\n"},
                              {"train_idx-2.txt", "3\n0\n"}};
const test::FileSet kRows{{"A_train.index", "0,1\n2,3\n"}, {"A_val.index", "2\n1\n"}, {"A_test.index", "4,3\n0,4\n"}};

std::vector<Split> read(const test::FileSet& files, std::int64_t count, const std::string& name = {}) {
  const test::TemporaryFolder folder;
  test::write_files(folder.path(), files);
  return read_folds(folder.path(), count, name);
}

test::FileSet with(test::FileSet files, const std::string& name, const std::string& content) {
  files[name] = content;
  return files;
}

}  // namespace

TEST_CASE("Numbered fold files count from 0 or from 1", "[graph]") {
  test::FileSet from_one = kNumbered;
  for (auto& [name, content] : from_one)
    for (char& c : content)
      if (c != '\n') ++c;
  for (const auto& files : {kNumbered, from_one}) {
    const std::vector<Split> folds = read(files, 5);
    REQUIRE(folds.size() == 2);
    CHECK(folds[0].train == Items{1, 2, 4});
    CHECK(folds[0].valid.empty());
    CHECK(folds[0].test == Items{0, 3});
    CHECK(folds[1].test == Items{1, 2, 4});
  }
  CHECK_THAT_SAYS(FileError, read(kNumbered, 4), "fold 1: train: got item 4, expected 0 to 3");
  CHECK_THAT_SAYS(FileError, read(kNumbered, 6), "the test parts of 2 folds hold 5 items, the data set has 6");
  CHECK_THAT_SAYS(FileError, read(with(kNumbered, "test_idx-1.txt", "0\n6\n"), 5),
                  "test_idx-1.txt: line 2: item 6 is outside 0..5");
  const test::FileSet twice = with(with(kNumbered, "test_idx-2.txt", "1\n2\n4\n0\n"), "train_idx-2.txt", "3\n");
  CHECK_THAT_SAYS(FileError, read(twice, 5), "test parts of all folds: test: got item 0");
  CHECK_THAT_SAYS(FileError, read(with(kNumbered, "train_idx-1.txt", "1\n2\n3\n"), 5),
                  "fold 1: test: got item 3, which is in train already");
  CHECK_THAT_SAYS(FileError, read(with(kNumbered, "test_idx-1.txt", "0\n-3\n"), 5), "line 2: item -3 is outside");
  CHECK_THAT_SAYS(FileError, read(with(kNumbered, "test_idx-3.txt", "1\n"), 5), "train_idx-3.txt: cannot read");
}

TEST_CASE("Index files hold one split per line", "[graph]") {
  const std::vector<Split> splits = read(kRows, 5);
  REQUIRE(splits.size() == 2);
  CHECK(splits[1].train == Items{2, 3});
  CHECK(splits[1].valid == Items{1});
  CHECK(splits[0].test == Items{3, 4});
  CHECK(read(kRows, 9, "A").size() == 2);
  CHECK_THAT_SAYS(FileError, read(kRows, 4), "A_test.index: line 1: item 4 is outside 0..3");
  CHECK_THAT_SAYS(FileError, read(kRows, 5, "B"), "no B_train.index");
  CHECK_THAT_SAYS(FileError, read(with(kRows, "B_train.index", ""), 5), "name one");
  CHECK_THAT_SAYS(FileError, read(with(kRows, "A_val.index", "2\n"), 5),
                  "2 lines of training, 1 of validation and 2 of test items");
  CHECK_THAT_SAYS(FileError, read(with(kRows, "A_val.index", "2\n2\n"), 5),
                  "line 2: valid: got item 2, which is in train already");
  CHECK_THAT_SAYS(FileError, read({}, 5), "no test_idx-1.txt and no NAME_train.index");
  CHECK_THAT_SAYS(FileError, read_folds("/nowhere", 5), "not a folder");
}

namespace {

struct Folds {
  std::vector<Split> splits;
  void check() const {
    for (const Split& split : splits) check_split(split, 5, "fold");
  }
};

}  // namespace

TEST_CASE("Damaged fold files are read or refused", "[graph][slow]") {
  const auto read_folder = [](const std::filesystem::path& folder) { return Folds{read_folds(folder, 5)}; };
  test::attack(kNumbered, 60, read_folder);
  test::attack(kRows, 60, read_folder);
}

TEST_CASE("Published folds fit the published data sets", "[graph][data]") {
  const auto data = test::data_folder();
  if (!data) return test::skip_data();
  for (const auto& [name, count] : {std::pair{"NCI1", 4110}, std::pair{"IMDB-BINARY", 1000}}) {
    const std::vector<Split> folds = read_folds(*data / "folds" / "dgcnn" / name, count);
    REQUIRE(folds.size() == 10);
    for (const Split& fold : folds) CHECK(std::ssize(fold.train) + std::ssize(fold.test) == count);
  }
  const std::vector<Split> splits = read_folds(*data / "folds" / "benchmarking_gnns", 1113, "PROTEINS_full");
  REQUIRE(splits.size() == 10);
  const Items labels = read_tu(*data / "tu" / "PROTEINS_full").labels();
  for (const Split& split : splits) {
    CHECK(all_of(split) == numbers(1113));
    check_stratified(split.test, numbers(1113), labels);
  }
}
