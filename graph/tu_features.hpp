// Tables of labels and attributes in TUDataset files, and the features that are made of them. For read_tu() only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "graph/dataset.hpp"

namespace atto::tu {

/// A rectangular table of numbers, one row per line.
template <class T>
struct Table {
  std::int64_t rows = 0, columns = 0;
  std::vector<T> values;
};

/// `rows` lines (with -1 as many as there are) of equally many integers or finite floats (T = int64 or float). `what`
/// is the name of a row in complaints.
template <class T>
Table<T> read_table(const std::filesystem::path& path, std::int64_t rows, const char* what);

/// Feature rows of all nodes or all edges of a set.
struct FeatureRows {
  Tensor values;
  Features features;
};

/// Which files hold features; a path that is not there is a file that does not count.
struct FeatureFiles {
  std::optional<std::filesystem::path> labels, attributes;
};

/// Attributes, then one-hot labels; with one_hot = false a single column of labels alone becomes categories. No
/// features when neither file counts.
FeatureRows read_features(const FeatureFiles& files, std::int64_t rows, const char* what, bool one_hot);

/// Out-degrees in place of labels: one-hot or categories when the largest is below 1000, else one standardised column.
/// FileError about `path` when the one-hot rows are too many.
FeatureRows degree_features(const std::filesystem::path& path, std::span<const GraphSample> samples, bool one_hot);

}  // namespace atto::tu
