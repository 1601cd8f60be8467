#pragma once

#include <string>
#include <variant>
#include <vector>

#include "nn/report/heat_map.hpp"
#include "nn/report/plot.hpp"

namespace atto::report {

using Panel = std::variant<LinePlot, HeatMap>;

/// Small plots side by side, one per head or layer, under one title, one legend and one colour scale. Of a panel its
/// title and data are used; axis titles stand once, on the grid.
struct PanelGrid {
  std::string title{}, subtitle{};
  std::string x_title{}, y_title{};
  std::vector<Panel> panels{};
  int columns = 0;         ///< 0: as many as look well, at most four
  bool share_axes = true;  ///< all line plots use the axes of the first and one range; otherwise each has its own
  double width = 720;
  double panel_height = 120;  ///< of line plots; heat maps are as high as wide
};

/// A self-contained SVG document. Throws ValueError as the panels do.
std::string to_svg(const PanelGrid& grid);

}  // namespace atto::report
