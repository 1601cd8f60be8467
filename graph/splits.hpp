// Which items train, which select, which test. The same seed gives the same split on every machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace atto {

/// Numbers of items, each list ascending.
struct Split {
  std::vector<std::int64_t> train, valid, test;
};

/// Parts of all items; what is left after both is test.
struct SplitOptions {
  double train = 0.8;
  double valid = 0.1;
  std::uint64_t seed = 0;
};

// `labels` below are the classes by which a split is stratified: each part holds each class in proportion, to within
// one item. Without labels (an empty span) items are split at random.

/// floor(train * count) and floor(valid * count) items, the rest is test. ValueError for parts outside [0, 1] or a
/// number of labels that is not `count`.
Split random_split(std::int64_t count, std::span<const std::int64_t> labels, const SplitOptions& options = {});

/// Split k tests on fold k and trains on the others; there is no validation part. Sizes of folds differ by at most one,
/// in total and in each class. ValueError unless 2 <= folds <= count.
std::vector<Split> k_fold(std::int64_t count, std::span<const std::int64_t> labels, std::int64_t folds,
                          std::uint64_t seed = 0);

/// Moves round(fraction * |train|) items from train to valid, at least one if there are two; the test part stays.
/// ValueError when valid is not empty, or for a fraction outside (0, 1).
Split with_validation(const Split& split, std::span<const std::int64_t> labels, double fraction,
                      std::uint64_t seed = 0);

/// Keeps round(fraction * |train|) of the training items, at least one; with the same seed a smaller fraction is a
/// subset of a larger one. ValueError for a fraction outside (0, 1].
Split with_train_fraction(const Split& split, std::span<const std::int64_t> labels, double fraction,
                          std::uint64_t seed = 0);

/// IndexError or ValueError naming `what` when an item lies outside 0..count-1 or stands in two places.
void check_split(const Split& split, std::int64_t count, const std::string& what);

/// Reads the folds that lie in a folder, for a data set of `count` items:
/// - test_idx-K.txt and train_idx-K.txt for K = 1, 2, ...: one item per line, counted from 0 or from 1 (which of the
/// two
///   follows from the items that occur, because the test parts cover the set); no validation part; or
/// - NAME_train.index, NAME_val.index, NAME_test.index: line k holds the items of split k, separated by commas. With
/// several
///   sets in the folder, those of `name` are taken.
/// FileError naming file, line and reason for anything else: a file missing, an item outside, twice or in two parts,
/// test parts that do not cover the set (first form), different numbers of lines (second form).
std::vector<Split> read_folds(const std::filesystem::path& folder, std::int64_t count, const std::string& name = {});

}  // namespace atto
