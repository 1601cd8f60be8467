// Folds from files: the forms of muhanzhang/pytorch_DGCNN and of graphdeeplearning/benchmarking-gnns.

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "graph/folder.hpp"
#include "graph/splits.hpp"
#include "graph/text_file.hpp"

namespace atto {
namespace {

namespace fs = std::filesystem;
using Items = std::vector<std::int64_t>;

// check_split, as a complaint about the folder.
void check_files(const fs::path& folder, const Split& split, std::int64_t count, const std::string& which) {
  try {
    check_split(split, count, which);
  } catch (const Error& error) {
    throw FileError(folder.string(), {}, error.what(), fmt::format("folds for a data set of {} items", count));
  }
}

Items read_lines(const fs::path& path, std::int64_t count) {
  TextFile file(path);
  Items items;
  while (file.next_line()) items.push_back(file.integer("item", 0, count));
  return items;
}

// K = 1, 2, ... as long as test_idx-K.txt exists.
std::vector<Split> read_numbered(const fs::path& folder, std::int64_t count) {
  std::vector<Split> folds;
  const auto file = [&](const char* part, std::size_t k) { return folder / fmt::format("{}_idx-{}.txt", part, k); };
  for (std::size_t k = 1; file_exists(file("test", k)); ++k)
    folds.push_back(
        {.train = read_lines(file("train", k), count), .valid = {}, .test = read_lines(file("test", k), count)});

  // The test parts cover 0..count-1 or 1..count, so the smallest item says which.
  std::int64_t smallest = count;
  for (const Split& fold : folds)
    for (const std::int64_t item : fold.test) smallest = std::min(smallest, item);
  const std::int64_t first = smallest == 0 ? 0 : 1;
  Split all;
  for (std::size_t k = 0; k < folds.size(); ++k) {
    for (Items* part : {&folds[k].train, &folds[k].test}) {
      for (std::int64_t& item : *part) item -= first;
      std::ranges::sort(*part);
    }
    check_files(folder, folds[k], count, fmt::format("fold {}", k + 1));
    all.test.insert(all.test.end(), folds[k].test.begin(), folds[k].test.end());
  }
  check_files(folder, all, count, "test parts of all folds");
  if (std::ssize(all.test) != count)
    throw FileError(folder.string(), {},
                    fmt::format("the test parts of {} folds hold {} items, the data set has {}", folds.size(),
                                all.test.size(), count));
  return folds;
}

std::vector<Items> read_rows(const fs::path& path, std::int64_t count) {
  TextFile file(path);
  std::vector<Items> rows;
  while (file.next_line()) {
    Items& row = rows.emplace_back();
    while (!file.line_ended()) row.push_back(file.integer("item", 0, count - 1));
    std::ranges::sort(row);
  }
  return rows;
}

std::vector<Split> read_rows_of_splits(const fs::path& folder, const std::string& prefix, std::int64_t count) {
  std::vector<Items> train = read_rows(folder / (prefix + "_train.index"), count),
                     valid = read_rows(folder / (prefix + "_val.index"), count),
                     test = read_rows(folder / (prefix + "_test.index"), count);
  if (train.empty() || train.size() != valid.size() || train.size() != test.size())
    throw FileError(
        folder.string(), {},
        fmt::format("{} lines of training, {} of validation and {} of test items, expected one each per split",
                    train.size(), valid.size(), test.size()));
  std::vector<Split> splits;
  for (std::size_t k = 0; k < train.size(); ++k) {
    splits.push_back({.train = std::move(train[k]), .valid = std::move(valid[k]), .test = std::move(test[k])});
    check_files(folder, splits.back(), count, fmt::format("line {}", k + 1));
  }
  return splits;
}

// What stands before _train.index.
std::string prefix_in(const fs::path& folder, const std::string& name) {
  constexpr std::string_view kEnding = "_train.index";
  std::string prefix;
  const std::vector<std::string> files = names_ending(folder, kEnding);
  for (const std::string& file : files) {
    prefix = file.substr(0, file.size() - kEnding.size());
    if (prefix == name) return prefix;
  }
  const std::size_t found = files.size();
  if (found == 1 && name.empty()) return prefix;
  throw FileError(folder.string(), {},
                  found == 0 ? "no test_idx-1.txt and no NAME_train.index"
                             : fmt::format("no {}_train.index", name.empty() ? "NAME" : name),
                  found > 1 && name.empty() ? "the folder holds several data sets; name one" : "");
}

}  // namespace

std::vector<Split> read_folds(const fs::path& folder, std::int64_t count, const std::string& name) {
  require_folder(folder);
  if (file_exists(folder / "test_idx-1.txt")) return read_numbered(folder, count);
  return read_rows_of_splits(folder, prefix_in(folder, name), count);
}

}  // namespace atto
