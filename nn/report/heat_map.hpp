#pragma once

#include <optional>
#include <string>
#include <vector>

namespace atto::report {

/// A matrix as colours, row 0 at the top: an attention map. Values that are not finite show as light grey. The scale
/// runs from light (low) to dark; values of both signs get a scale from blue over white (0) to red instead.
///
/// A map of more than 128 rows or columns is drawn in blocks, each the mean of its values, so that the file stays
/// small; the subtitle then says so.
struct HeatMap {
  std::string title{}, subtitle{};
  std::string x_title{}, y_title{};
  int rows = 0, columns = 0;
  std::vector<double> values{};                            ///< [rows, columns], row-major
  std::vector<std::string> row_labels{}, column_labels{};  ///< empty: the index
  std::optional<double> low{}, high{};                     ///< ends of the colour scale; not given: those of the values
  double width = 520;                                      ///< the height follows from the shape
};

/// A self-contained SVG document. Throws ValueError where the number of values or labels does not fit the shape.
std::string to_svg(const HeatMap& map);

}  // namespace atto::report
