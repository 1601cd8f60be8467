#include "graph/tu_features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "graph/text_file.hpp"

namespace atto::tu {
namespace {

constexpr std::int64_t kMostCategories = std::int64_t{1} << 16;
constexpr std::int64_t kMostFeatures = std::int64_t{1} << 30;  // numbers in one feature tensor: 4 GiB
constexpr std::int64_t kOneHotDegrees = 1000;

// Labels shifted by the smallest of their column, and how many values each column then may have.
struct Labels {
  Table<std::int64_t> table;
  std::vector<std::int64_t> widths;

  std::int64_t total_width() const {
    std::int64_t total = 0;
    for (const std::int64_t width : widths) total += width;
    return total;
  }
};

Labels read_labels(const std::filesystem::path& path, std::int64_t rows, const char* what) {
  Labels labels{read_table<std::int64_t>(path, rows, what), {}};
  Table<std::int64_t>& table = labels.table;
  for (std::int64_t c = 0; c < table.columns; ++c) {
    std::int64_t low = std::numeric_limits<std::int64_t>::max(), high = std::numeric_limits<std::int64_t>::min();
    for (std::int64_t r = 0; r < table.rows; ++r) {
      low = std::min(low, table.values[r * table.columns + c]);
      high = std::max(high, table.values[r * table.columns + c]);
    }
    // Unsigned, because high - low may not fit.
    if (static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) >=
        static_cast<std::uint64_t>(kMostCategories))
      throw FileError(path.string(), {},
                      fmt::format("labels from {} to {}, more than {} categories", low, high, kMostCategories));
    for (std::int64_t r = 0; r < table.rows; ++r) table.values[r * table.columns + c] -= low;
    labels.widths.push_back(high - low + 1);
  }
  return labels;
}

// Attributes, then one-hot labels, of nodes or edges; either may be missing.
Tensor join_columns(const std::filesystem::path& path, std::int64_t rows, const std::optional<Table<float>>& attributes,
                    const std::optional<Labels>& labels) {
  const std::int64_t real = attributes ? attributes->columns : 0, width = real + (labels ? labels->total_width() : 0);
  if (rows > 0 && width > kMostFeatures / rows)
    throw FileError(path.string(), {}, fmt::format("{} x {} features are more than memory is good for", rows, width));
  const Tensor features = Tensor::zeros({rows, width});
  float* row = features.data<float>();
  for (std::int64_t r = 0; r < rows; ++r, row += width) {
    if (attributes) std::copy_n(attributes->values.begin() + r * real, real, row);
    std::int64_t column = real;
    for (std::size_t c = 0; labels && c < labels->widths.size(); ++c) {
      row[column + labels->table.values[r * labels->table.columns + static_cast<std::int64_t>(c)]] = 1;
      column += labels->widths[c];
    }
  }
  return features;
}

}  // namespace

template <class T>
Table<T> read_table(const std::filesystem::path& path, std::int64_t rows, const char* what) {
  TextFile file(path);
  Table<T> table;
  while (file.next_line()) {
    if (rows >= 0 && table.rows == rows) file.fail(fmt::format("more lines than there are {}s ({})", what, rows));
    const std::size_t before = table.values.size();
    do {
      if constexpr (std::is_same_v<T, float>) table.values.push_back(file.real(what));
      else table.values.push_back(file.integer(what));
    } while (!file.line_ended());
    const auto columns = static_cast<std::int64_t>(table.values.size() - before);
    if (table.rows > 0 && columns != table.columns)
      file.fail(fmt::format("{} numbers, the lines before have {}", columns, table.columns));
    table.columns = columns;
    ++table.rows;
  }
  if (rows >= 0 && table.rows < rows)
    file.fail_whole(fmt::format("{} lines, but there are {} {}s", table.rows, rows, what));
  return table;
}
template Table<float> read_table(const std::filesystem::path&, std::int64_t, const char*);
template Table<std::int64_t> read_table(const std::filesystem::path&, std::int64_t, const char*);

FeatureRows read_features(const FeatureFiles& files, std::int64_t rows, const char* what, bool one_hot) {
  std::optional<Labels> labels;
  std::optional<Table<float>> attributes;
  if (files.labels) labels = read_labels(*files.labels, rows, what);
  if (files.attributes) attributes = read_table<float>(*files.attributes, rows, what);
  if (!labels && !attributes) return {};
  if (labels && !attributes && !one_hot && labels->widths.size() <= 1) {
    const std::int64_t width = labels->total_width();
    return {Tensor::from(labels->table.values), {.kind = Features::Kind::category, .width = width}};
  }
  const Tensor values = join_columns(labels ? *files.labels : *files.attributes, rows, attributes, labels);
  return {values, {.kind = Features::Kind::real, .width = values.size(1)}};
}

FeatureRows degree_features(const std::filesystem::path& path, std::span<const GraphSample> samples, bool one_hot) {
  std::vector<std::int64_t> degrees;
  std::int64_t largest = 0;
  double sum = 0, squares = 0;
  for (const GraphSample& sample : samples)
    for (std::int64_t i = 0; i < sample.graph.num_nodes(); ++i) {
      degrees.push_back(sample.graph.out_degree(i));
      largest = std::max(largest, degrees.back());
      sum += static_cast<double>(degrees.back());
    }
  const std::int64_t nodes = std::ssize(degrees);
  if (largest < kOneHotDegrees) {
    const Tensor categories = Tensor::from(degrees);
    if (!one_hot) return {categories, {.kind = Features::Kind::category, .width = largest + 1}};
    if (nodes > 0 && largest + 1 > kMostFeatures / nodes)
      throw FileError(path.string(), {},
                      fmt::format("{} x {} one-hot degrees are more than memory is good for", nodes, largest + 1),
                      "ask for categories (one_hot = false)");
    return {atto::one_hot(categories, largest + 1), {.kind = Features::Kind::real, .width = largest + 1}};
  }
  const double mean = sum / static_cast<double>(nodes);
  for (const std::int64_t degree : degrees)
    squares += (static_cast<double>(degree) - mean) * (static_cast<double>(degree) - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(std::max<std::int64_t>(1, nodes - 1)));
  const Tensor values = Tensor::zeros({nodes, 1});
  for (std::int64_t i = 0; i < nodes && deviation > 0; ++i)
    values.data<float>()[i] = static_cast<float>((static_cast<double>(degrees[i]) - mean) / deviation);
  return {values, {.kind = Features::Kind::real, .width = 1}};
}

}  // namespace atto::tu
